"""The documentation is complete, and its commands work."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from pydantic import BaseModel

from semsim.exceptions import ErrorCode
from semsim_service.settings import Settings
from semsim_training.attacks.catalogue import ATTACKS
from semsim_training.defenses.defense import DEFENSES
from semsim_training.faithfulness.directions import KNOWN_DIRECTIONS
from semsim_training.victims.description import Architecture
from tests.conftest import ROOT
from tests.service.live import LiveService

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").rglob("*.md")]


def variables(model: type[BaseModel], prefix: str) -> list[str]:
    """The environment variables of a settings model, nested ones at `__`."""
    found = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += variables(kind, f"{prefix}{name.upper()}__")
        else:
            found.append(f"{prefix}{name.upper()}")
    return found


def test_every_setting_is_documented() -> None:
    """docs/operator.md has a row for each environment variable, and none for one that does not exist."""
    page = (ROOT / "docs" / "operator.md").read_text()
    assert set(re.findall(r"^\| `(SEMSIM_\w+)` \|", page, re.MULTILINE)) == set(variables(Settings, "SEMSIM_"))


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_error_code_is_documented(code: ErrorCode) -> None:
    """docs/operator.md names each error code."""
    assert f"`{code}`" in (ROOT / "docs" / "operator.md").read_text()


@pytest.mark.parametrize(
    ("page", "names"),
    [("attacks.md", {*ATTACKS, *DEFENSES, *Architecture}), ("faithfulness.md", {*KNOWN_DIRECTIONS, "fid"})],
)
def test_every_attack_defense_victim_and_metric_is_documented(page: str, names: set[str]) -> None:
    """The page names each of them, as it is written in configurations and commands."""
    words = set(re.findall(r"`(?:--)?([\w-]+)", (ROOT / "docs" / page).read_text()))
    assert not names - words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links and pictures of every page exist."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_readmes_curl_orders_sensibly(service: LiveService) -> None:
    """The README's curl, as it stands, gives identical 0, copies less than another image, which alone is no leak."""
    block = next(
        block
        for block in re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        if "curl" in block
    )
    command = shlex.split(block.replace("\\\n", " ").replace("http://127.0.0.1:3000", service.url))
    answer = subprocess.run([*command, "--silent", "--fail"], cwd=ROOT, capture_output=True, check=True).stdout
    results = json.loads(answer)["results"]
    same, blurred, noise, other = (result["distance"] for result in results)
    assert same == 0
    assert 0 < blurred < other
    assert 0 < noise < other
    assert [result["recognizable"] for result in results] == [True, True, True, False]
