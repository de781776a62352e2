"""Sets from grids: the same bytes however they are made, and errors before any work."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from semsim.bulk.engine import Engine
from semsim.exceptions import HashMismatch, InvalidConfiguration, InvalidDataset, SemSimError
from semsim_training.reconstructions.generate import generate
from semsim_training.reconstructions.grid import Grid
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from tests.training.reconstructions.small_grid import SETTINGS, grid

pytestmark = pytest.mark.slow


def contents(directory: Path) -> dict[str, bytes]:
    """The shards of a set."""
    return {path.name: path.read_bytes() for path in sorted((directory / "shards").glob("*.parquet"))}


def test_rows(made: Path) -> None:
    """Every image of every setting once; an original's split is the same everywhere."""
    small = ReconstructionSet.read(made)
    description = small.description
    assert (description.rows, description.settings, description.diverged) == (12 + 12 + 6 + 12, 4, 0)
    assert set(description.victims) == {"lenet", "mlp"}
    assert len(small.rows) == len({(row.setting, row.image) for row in small.rows}) == description.rows
    assert len({(row.image, row.split) for row in small.rows}) == 12
    assert all(row.class_name == row.image.split("/")[0] for row in small.rows)
    assert all(row.psnr > 40 for row in small.rows if row.victim == "mlp")
    assert {row.preset for row in small.rows} == {"smooth", "closed-form", "inversed"}


@pytest.mark.parametrize("engine", [Engine.PROCESSES, Engine.RAY])
def test_engines_make_the_same_bytes(folder: Path, made: Path, tmp_path: Path, engine: Engine) -> None:
    """Two processes, and a Ray cluster, write what one process writes."""
    if engine is Engine.RAY:
        pytest.importorskip("ray", reason="needs the extra ray")
    workers = 2 if engine is Engine.PROCESSES else 1  # each imports torch
    generate(grid(folder), folder, tmp_path / "set", engine=engine, workers=workers)
    assert contents(tmp_path / "set") == contents(made)


def test_interrupted_and_resumed(folder: Path, made: Path, tmp_path: Path) -> None:
    """A set cut off at some shard is finished without doing shards again, to the same bytes."""

    def stop(step: str, done: int, _: int) -> None:
        if step == "reconstructions" and done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(grid(folder), folder, tmp_path / "set", engine=Engine.HERE, progress=stop)
    with pytest.raises(InvalidDataset, match="expected a finished reconstruction set"):
        ReconstructionSet.read(tmp_path / "set")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "set" / "shards").glob("*.parquet")}
    assert 1 <= len(before) < len(contents(made))
    generate(grid(folder), folder, tmp_path / "set", engine=Engine.HERE)
    assert contents(tmp_path / "set") == contents(made)
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())


def test_killed_in_the_middle_of_a_search(folder: Path, tmp_path: Path) -> None:
    """The command killed in a shard goes on from the search's saved state, to the bytes of an uninterrupted run."""
    attack = {"preset": "inversed", "iterations": 800}  # its state is saved after 200
    setting = {"images": "small", "victim": "lenet", "attack": attack, "count": 2}
    config = tmp_path / "grid.yaml"
    values = grid(folder, settings=[setting]).model_dump(mode="json", exclude_defaults=True)
    config.write_text(yaml.safe_dump(values))
    program = "from semsim.commands.main import main; main()"
    command = [sys.executable, "-c", program, "attack", "grid", str(config), str(tmp_path / "set")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*command, "--engine", "here"], stderr=subprocess.PIPE, env=environment)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "set" / "partial").glob("*.safetensors")) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert list((tmp_path / "set" / "partial").glob("*.safetensors"))
    read = Grid.read(config)
    generate(read, folder, tmp_path / "set", engine=Engine.HERE)
    assert not (tmp_path / "set" / "partial").exists()
    generate(read, folder, tmp_path / "whole", engine=Engine.HERE)
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_a_finished_set_is_left_as_it_is(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made again on another machine, nothing changes; a shard that was lost is made again and described anew."""
    out, small = tmp_path / "set", grid(folder, settings=SETTINGS[1:2])
    first = generate(small, folder, out, engine=Engine.HERE)
    files = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    monkeypatch.setattr("semsim_training.reconstructions.dataset.machine", lambda: "another machine")
    assert generate(small, folder, out, engine=Engine.HERE) == first
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == files
    shards = contents(out)
    (out / "shards" / next(iter(shards))).unlink()
    assert generate(small, folder, out, engine=Engine.HERE).machine == "another machine"
    assert contents(out) == shards


def test_another_grid_is_refused(folder: Path, made: Path) -> None:
    """A directory holds one set."""
    with pytest.raises(InvalidConfiguration, match="expected an empty directory, or one of the same grid"):
        generate(grid(folder, seed=1), folder, made, engine=Engine.HERE)


def test_a_set_of_another_version_is_refused_before_any_work(folder: Path, made: Path, tmp_path: Path) -> None:
    """Nothing of a set with other columns is computed or removed, also where a shard of it is missing."""
    shutil.copytree(made, tmp_path / "set")
    first, *_, last = sorted((tmp_path / "set" / "shards").glob("*.parquet"))
    pq.write_table(pq.read_table(first).drop_columns(["preset"]), first)
    last.unlink()
    before = contents(tmp_path / "set")
    with pytest.raises(InvalidDataset, match="another version of SemSim began this set"):
        generate(grid(folder), folder, tmp_path / "set", engine=Engine.HERE)
    assert contents(tmp_path / "set") == before
    assert (tmp_path / "set" / "dataset.json").is_file()


def test_a_changed_shard_is_found(folder: Path, tmp_path: Path) -> None:
    """One byte that differs from what dataset.json says stops the reading."""
    generate(grid(folder, settings=SETTINGS[1:2]), folder, tmp_path / "set", engine=Engine.HERE)
    path = next((tmp_path / "set" / "shards").glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(HashMismatch, match=path.name):
        ReconstructionSet.read(tmp_path / "set")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": [SETTINGS[0] | {"victim": "vgg"}]}, "expected victim of lenet, mlp in a setting, got vgg"),
        ({"settings": [SETTINGS[0] | {"defense": "prune:2"}]}, "expected a share to zero"),
        ({"settings": [SETTINGS[0] | {"attack": {"preset": "magic"}}]}, "expected an attack of dlg"),
        ({"settings": [SETTINGS[1], SETTINGS[1]]}, "expected settings that differ"),
        (
            {"settings": [SETTINGS[0] | {"victim": "mlp", "attack": {"preset": "grad-inversion"}}]},
            "batch normalisation",
        ),
        ({"settings": [SETTINGS[0] | {"attack": {"preset": "closed-form"}}]}, "first layer is fully connected"),
        (
            {"settings": [SETTINGS[0] | {"local_training": {"learning_rate": 1, "batch_size": 1, "schedule": [1, 1]}}]},
            "expected a schedule of 1 steps, got 2 factors",
        ),
        ({"images": {"small": {"folder": "nowhere", "size": 16, "count": 1}}}, "got nowhere"),
        ({"images": {"small": {"folder": "F", "size": 16, "count": 99}}}, "expected 99 images in small, got 12"),
        (
            {"images": {"small": {"folder": "F", "size": 32, "count": 1}}},
            "expected images of 16 pixels for lenet, got 32",
        ),
    ],
)
def test_errors_come_before_any_work(folder: Path, tmp_path: Path, changes: dict[str, object], message: str) -> None:
    """An error names what does not go together, and nothing is written."""
    changes = yaml.safe_load(yaml.safe_dump(changes).replace("folder: F", f"folder: {folder}"))
    with pytest.raises((SemSimError, ValueError), match=message):
        generate(grid(folder, **changes), folder, tmp_path / "set", engine=Engine.HERE)
    assert not (tmp_path / "set").exists()
