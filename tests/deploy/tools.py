"""Tools that a machine may lack. A test that needs one skips with the reason."""

import shutil
import subprocess
import tempfile
from typing import Any

import pytest
import yaml

from tests.deploy.promql import CHART


def promtool() -> str:
    """The path of promtool. Skips where there is none."""
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("needs promtool (Debian: apt-get install prometheus)")
    return path


class RenderError(Exception):
    """The chart refuses its values."""


def render(namespace: str = "fl", **values: Any) -> list[dict[str, Any]]:
    """The manifests of a release ``demo``, by Helm's library or its command. Skips where there is neither.

    Raises:
        RenderError: the chart refuses the values.
    """
    rendered = _render_with_library(namespace, values)
    if rendered is None:
        rendered = _render_with_command(namespace, values)
    # The C loader: most of the time of these tests was spent in the other one.
    return [document for text in rendered for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def lint(**values: Any) -> list[str]:
    """The faults that `helm lint --strict` finds in the chart."""
    try:
        import helm_python
    except ImportError:
        with _values_file(values) as file:
            done = _helm("lint", str(CHART), "--strict", "-f", file.name)
        return [] if done.returncode == 0 else done.stdout.splitlines()
    report = helm_python.lint(CHART, values, strict=True)
    return [*report["errors"], *(said["error"] for said in report["messages"] if said["severity"] > 1)]


def _render_with_library(namespace: str, values: dict[str, Any]) -> list[str] | None:
    try:
        import helm_python
    except ImportError:
        return None
    with helm_python.Chart.load(CHART) as chart:
        try:
            rendered = chart.render(values, name="demo", namespace=namespace)
        except (helm_python.HelmValuesError, helm_python.HelmRenderError) as error:
            raise RenderError(str(error)) from None
    return [text for path, text in rendered.items() if not path.endswith("NOTES.txt")]


def _render_with_command(namespace: str, values: dict[str, Any]) -> list[str]:
    with _values_file(values) as file:
        done = _helm("template", "demo", str(CHART), "--namespace", namespace, "-f", file.name)
    if done.returncode != 0:
        raise RenderError(done.stderr)
    return [done.stdout]


def _values_file(values: dict[str, Any]) -> "tempfile._TemporaryFileWrapper[str]":
    file = tempfile.NamedTemporaryFile("w", suffix=".yaml")  # noqa: SIM115
    yaml.safe_dump(values, file)
    file.flush()
    return file


def _helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    path = shutil.which("helm")
    if path is None:
        pytest.skip("needs Helm: pip install helm-python-sdk, or the command helm")
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
