"""The manifest of a Ray cluster is a RayJob of valid Pods, and calls the command with options that it has."""

import shlex
from typing import Any

import pytest
import typer
import yaml

from semsim.commands.score_table import app
from tests.deploy.promql import DEPLOY


def test_the_manifest_calls_the_command_on_as_many_workers_as_it_has() -> None:
    """Its entry point parses, on Ray, with one worker a core; the driver's Pod has no worker; Pods are locked down."""
    validator = pytest.importorskip("kubernetes_validate", reason="needs pip install kubernetes-validate")
    job: dict[str, Any] = yaml.safe_load((DEPLOY / "kuberay" / "score-table.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    program, name, *arguments = shlex.split(job["spec"]["entrypoint"])
    assert (program, name) == ("semsim", "score-table")
    options = typer.main.get_command(app).make_context(name, arguments).params
    assert options["engine"] == "ray"
    cluster = job["spec"]["rayClusterSpec"]
    (group,) = cluster["workerGroupSpecs"]
    assert options["workers"] == group["replicas"] * int(group["rayStartParams"]["num-cpus"])
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for template in (cluster["headGroupSpec"]["template"], group["template"]):
        validator.validate(
            {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {"name": "pod"}}, "1.34", strict=True
        )
        assert template["spec"]["securityContext"]["runAsNonRoot"]
        assert all(one["securityContext"]["capabilities"]["drop"] == ["ALL"] for one in template["spec"]["containers"])
