"""The documentation is complete, and its commands work."""

import json
import re
import runpy
import shlex
import subprocess
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from pydantic import BaseModel

from semsim.exceptions import ErrorCode
from semsim_service.settings import Settings
from semsim_training.attacks import objectives, parts, priors
from semsim_training.attacks.attack_recipe import AttackRecipe, Labels
from semsim_training.attacks.catalogue import ATTACKS
from semsim_training.attacks.initialisation import Initialisation
from semsim_training.attacks.schedules import Decay
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_anchors_lead_to_headings(page: Path) -> None:
    """A link to a part of a page names one of the page's headings, as GitHub and the site make anchors of them."""
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", page.read_text()):
        other = page.parent / target if target else page
        if other.suffix == ".md":
            assert anchor in anchors(other), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def test_every_page_of_the_site_is_two_clicks_away() -> None:
    """A tab and a page in it: the site's navigation has two levels, every page, and no page that does not exist."""
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    entries = [entry for tab in site["nav"] for entries in tab.values() for entry in entries]
    named = [entry if isinstance(entry, str) else next(iter(entry.values())) for entry in entries]
    made = {f"reference/{name}.md" for name in site["extra"]["reference"]} | {"examples/quickstart.md"}
    pages = [*PAGES, *(ROOT / "datasets").glob("*.md"), *(ROOT / "examples").rglob("*.md")]
    assert sorted(named) == sorted({page.relative_to(ROOT).as_posix() for page in pages} | made)
    modules = [module.replace(".", "/") for page in site["extra"]["reference"].values() for module in page["modules"]]
    folders = [ROOT / folder for folder in site["plugins"][1]["mkdocstrings"]["handlers"]["python"]["paths"]]
    assert [name for name in modules if not any((folder / f"{name}.py").is_file() for folder in folders)] == []


def section_of(page: str, title: str) -> str:
    """The section of a page of docs/ under a title."""
    return (ROOT / "docs" / page).read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_the_guides_recipe_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recipe of docs/attacks.md attacks a gradient, and tells how much of it its images explain."""
    section = section_of("attacks.md", "Your own attacks, defenses and victims")
    recipe, *_ = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (tmp_path / "recipe.py").write_text(recipe)
    runpy.run_path(str(tmp_path / "recipe.py"))
    assert re.match(r"(matched|partly) Explanation\(share=0\.", capsys.readouterr().out)


def test_every_part_of_a_recipe_is_documented() -> None:
    """docs/attacks.md has a row for each part of a recipe, and names every objective, prior and choice for it."""
    section = section_of("attacks.md", "Your own attacks, defenses and victims")
    rows = "\n".join(re.findall(r"^\| `.*", section, re.MULTILINE))
    named = set(re.findall(r"`(\w+)", rows))
    choices = {*Decay.__members__, *Initialisation.__members__, *Labels.__members__}
    assert {field.name for field in fields(AttackRecipe)} | choices <= named
    assert named_in(objectives, "scale") | named_in(priors, "weight") <= named & set(parts.__all__)


def named_in(module: ModuleType, factor: str) -> set[str]:
    """The public dataclasses of a module that have a field of this name."""
    classes = {name: value for name, value in vars(module).items() if is_dataclass(value) and not name.startswith("_")}
    return {name for name, value in classes.items() if factor in {field.name for field in fields(value)}}


def test_the_readme_is_short() -> None:
    """A stranger gives it thirty seconds: under 120 lines, the picture first, the caveats in its first half."""
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) < 120
    titles = [line[3:] for line in lines if line.startswith("## ")]
    assert lines.index("<!-- picture -->") < lines.index(f"## {titles[0]}")
    assert lines.index("## What does it not say?") < len(lines) / 2


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
