"""Grids to begin with: complete, documented, and running on a folder of anybody's images."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from semsim_training.reconstructions.examples import EXAMPLES, example_text
from semsim_training.reconstructions.grid import Grid
from semsim_training.reconstructions.grid_schema import PARTS, schema_table
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from tests.conftest import ROOT
from tests.training.small import smooth_images


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_a_grid_without_files(name: str) -> None:
    """It fits the schema, and needs no checkpoint that a reader of it does not have."""
    read = Grid.model_validate(yaml.safe_load(example_text(name)))
    assert all(victim.checkpoint is None for victim in read.victims.values())


def test_every_field_has_a_meaning_and_stands_in_the_guide() -> None:
    """docs/attacks.md holds the table as the models give it; `semsim attack example --schema --write` makes it."""
    table = schema_table()
    for model in PARTS.values():
        for name in model.model_fields:
            (row,) = (line for line in _rows(model, table) if line.startswith(f"| `{name}` |"))
            assert not row.endswith("|  |"), f"{model.__name__}.{name} has no docstring"
    page = (ROOT / "docs" / "attacks.md").read_text()
    written = page.split("<!-- grid-schema -->")[1].strip()
    assert written == table, "run semsim attack example --schema --write docs/attacks.md"


def _rows(model: type, table: str) -> list[str]:
    """The rows of a model's part of the table."""
    place = next(place for place, one in PARTS.items() if one is model)
    return table.split(f"**{place[0].upper()}{place[1:]}**")[1].split("\n\n**")[0].splitlines()


@pytest.mark.slow
def test_the_example_runs_on_a_folder_of_images(tmp_path: Path) -> None:
    """From the installed command, in a folder of a user: the grid, what it makes, and its scores."""
    for index, image in enumerate(smooth_images(8, 40)):
        path = tmp_path / "photos" / ("cats" if index % 2 else "dogs") / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)

    def semsim(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("semsim")), *arguments]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 4), done.stdout + done.stderr  # three iterations find little
        return done.stdout

    text = re.sub(r"iterations: \d+", "iterations: 3", semsim("attack", "example"))
    (tmp_path / "grid.yaml").write_text(text)
    assert "56 reconstructions in 7 settings" in semsim("attack", "grid", "grid.yaml", "found", "--engine", "here")
    made = ReconstructionSet.read(tmp_path / "found")
    assert {row.local_steps for row in made.rows} == {0, 2}
    assert "56 reconstructions, 0 not scored" in semsim("score-set", "found", "-o", "scores.csv")
