"""``semsim score-table``: its exit codes, and a run that is killed and called again."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from semsim import Scorer
from tests.conftest import CPU
from tests.encoded import encode
from tests.semsim.bulk.pair_tables.written_tables import (
    check_each_pair_once,
    image,
    rows,
    write_parquet,
    write_shard,
)
from tests.semsim.commands.conftest import Semsim


@pytest.fixture
def options(calibrated_artifact: Path) -> tuple[Any, ...]:
    """A run in this process with the small calibrated model."""
    return "--model", calibrated_artifact, "--engine", "here", "--part-pairs", 6


def test_exit_codes_are_those_of_a_gate(semsim: Semsim, tmp_path: Path, options: tuple[Any, ...]) -> None:
    """0 for scored pairs, 3 for a leak, 1 for a pair that fails and for a skipped file; the totals as JSON."""
    source, output = tmp_path / "in", tmp_path / "out"
    write_parquet(source / "pairs.parquet")
    shown = semsim("score-table", source, output, *options)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "20 pairs in 4 parts, 0 not scored" in shown.stdout
    shown = semsim("score-table", source, tmp_path / "gate", *options, "--fail-above", 0.01, "--json")
    assert shown.returncode == 3
    report = json.loads(shown.stdout)
    assert report["summary"]["max_leakage"] == max(row["leakage"] or 0 for row in rows(tmp_path / "gate"))
    leakages = sorted(row["leakage"] or 0 for row in rows(tmp_path / "gate"))
    limit = ("--fail-above", (leakages[-3] + leakages[-2]) / 2, "--fail-share")
    shown = semsim("score-table", source, tmp_path / "share", *options, *limit, 0.05, "--github")
    assert shown.returncode == 3
    assert shown.stdout.splitlines()[-1].startswith("the gate fails: 2 of 18 pairs above")
    assert "::error title=semsim::2 of 18 pairs above" in shown.stderr
    shown = semsim("score-table", source, tmp_path / "share", *options, *limit, 0.2, "--json")
    assert shown.returncode == 1, "nothing can be told of two pairs"
    unseen = "not everything was scored: 2 that nothing can be told of"
    assert json.loads(shown.stdout)["gate"] == {"reasons": [], "unseen": [unseen], "above": 2}
    write_parquet(source / "more.parquet", 2, original=[b"no image", image(0)])
    shown = semsim("score-table", source, tmp_path / "failed", *options)
    assert shown.returncode == 1
    assert "not scored: 1 not_an_image" in shown.stderr
    (source / "more.parquet").rename(source / "more.bin")
    for allowed, code in (((), 1), (("--allow-skipped",), 0)):
        shown = semsim("score-table", source, tmp_path / "skipped", *options, *allowed)
        assert (shown.returncode, shown.stderr) == (code, "skipped: more.bin\n")


def test_a_pair_without_a_leakage_passes_no_gate(semsim: Semsim, tmp_path: Path, options: tuple[Any, ...]) -> None:
    """An original that shows nothing, and a shard that is cut off, do not pass for pairs that leak little."""
    files = {"a.original.png": image(0), "a.reconstruction.png": image(20)}
    shard, limit = write_shard(tmp_path / "pairs.tar", files), ("--fail-above", 0.7)
    assert semsim("score-table", shard, tmp_path / "out", *options, *limit).returncode == 0
    plain = encode(np.full((24, 32, 3), 90, np.uint8))
    others = write_shard(tmp_path / "plain.tar", files | {"b.original.png": plain, "b.reconstruction.png": image(20)})
    shown = semsim("score-table", others, tmp_path / "plain", *options, *limit)
    assert shown.returncode == 1
    assert "1 that nothing can be told of" in shown.stdout
    shard.write_bytes(shard.read_bytes()[:-10240])
    shown = semsim("score-table", shard, tmp_path / "cut", *options, *limit)
    assert shown.returncode == 1
    assert "not scored: 1 unreadable_file" in shown.stderr
    assert "call again to try these parts alone" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "magic"], "expected --engine to be one of here, processes, ray, got magic"),
        (["--engine", "here", "--workers", 2], "expected --workers with the engine processes or ray"),
        (["--original", "before"], "expected a column before"),
        (["--fail-above", 1], "expected --fail-above below"),
    ],
)
def test_refused(semsim: Semsim, tmp_path: Path, calibrated_artifact: Path, arguments: list[Any], message: str) -> None:
    """An option that cannot be used ends with 2 and one line, before anything is written."""
    source = write_parquet(tmp_path / "in" / "pairs.parquet")
    shown = semsim("score-table", source, tmp_path / "out", "--model", calibrated_artifact, *arguments)
    assert shown.returncode == 2
    assert message in shown.stderr
    assert len(shown.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_output_stays_out_of_the_input(semsim: Semsim, tmp_path: Path, options: tuple[Any, ...]) -> None:
    """A table within its input would be the input of the next run."""
    write_parquet(tmp_path / "in" / "pairs.parquet")
    shown = semsim("score-table", tmp_path / "in", tmp_path / "in" / "scores", *options)
    assert shown.returncode == 2
    assert "expected a place outside of" in shown.stderr


def test_an_interrupt_ends_with_130(
    semsim: Semsim, tmp_path: Path, options: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says how to go on."""

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("semsim.bulk.pair_tables.table_run.score_table", interrupted)
    shown = semsim("score-table", write_parquet(tmp_path / "pairs.parquet"), tmp_path / "out", *options)
    assert (shown.returncode, shown.stderr) == (130, "interrupted: call again to go on\n")


@pytest.mark.slow
def test_a_killed_run_is_finished_by_the_next(calibrated_artifact: Path, tmp_path: Path) -> None:
    """A process that is killed while it scores takes its workers with it; the next call finishes its table."""
    source, output = write_parquet(tmp_path / "pairs.parquet", 300), tmp_path / "out"
    options = ["--model", str(calibrated_artifact), "--part-pairs", "5", "--engine", "processes", "--workers", "1"]
    command = [sys.executable, "-m", "semsim", "score-table", str(source), str(output), *options]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while len(list(output.glob("part-*.parquet"))) < 5 and running.poll() is None:
        time.sleep(0.01)
    started = psutil.Process(running.pid).children()
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert psutil.wait_procs(started, timeout=60)[1] == []
    assert 5 <= len(list(output.glob("part-*.parquet"))) < 60
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    check_each_pair_once(output, Scorer(calibrated_artifact, providers=CPU), 300)
