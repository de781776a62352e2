"""``semsim score-dir --url``: the table of local scoring, or a refusal; never exit code 0 for less."""

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.encoded import encode, picture
from tests.semsim.client.faulty import Fault, FaultyProxy, altered, dropped, lost, refused, truncated
from tests.semsim.commands.conftest import Finished, Semsim
from tests.semsim.commands.conftest import semsim as semsim  # the fixture
from tests.service.live import LiveService, free_port


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """150 small pairs: three chunks."""
    originals, reconstructions = tmp_path / "originals", tmp_path / "reconstructions"
    for folder, step in ((originals, 0), (reconstructions, 1)):
        folder.mkdir()
        for number in range(150):
            (folder / f"{number:03}.png").write_bytes(encode(picture(32, 32, number // 2 + step * (number % 3))))
    return originals, reconstructions


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a table in CSV, with rounded numbers."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    numbers = ("distance", "leakage", "leakage_low", "leakage_high", "mse", "psnr", "ssim")
    rows = [row | {name: f"{float(row[name]):.5f}" for name in numbers if row[name]} for row in rows]
    # A control that is about as near as the original may count or not.
    return [row | {"chance": f"{float(row['chance']):.1f}"} if row["chance"] else row for row in rows]


def test_the_table_and_the_exit_codes_are_those_of_local_scoring(
    semsim: Semsim, service: LiveService, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """With damaged, lone and skipped files, with and without a limit, as CSV and as JSON."""
    originals, reconstructions = folders
    (originals / "torn.png").write_bytes(encode(picture())[:-20])
    (reconstructions / "torn.png").write_bytes(encode(picture()))
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"
    for options, code in (((), 1), (("--fail-above", "0.5"), 3)):
        local = semsim("score-dir", *folders, *options, "-o", here)
        remote = semsim("score-dir", *folders, *options, "-o", there, "--url", service.url)
        assert local.returncode == remote.returncode == code, remote.stderr
        assert table(here) == table(there)
        assert len(table(there)) == 151
        assert local.stdout.replace(str(here), "") == remote.stdout.replace(str(there), "")
        assert local.stderr == remote.stderr
    for folder in folders:
        (folder / "torn.png").unlink()
    shown = semsim("score-dir", *folders, "--url", service.url, "--json")
    assert shown.returncode == 0, shown.stderr
    model = json.loads(shown.stdout)["model"]
    assert model == json.loads(semsim("score-dir", *folders, "--json").stdout)["model"]
    assert not list(tmp_path.glob("*.partial.jsonl"))


def test_faults_on_the_way_change_no_row(
    semsim: Semsim, proxy: FaultyProxy, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """Each pair has one row, in order, after lost answers and refusals."""
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"
    assert semsim("score-dir", *folders, "-o", here).returncode == 0
    proxy.faults.extend([lost, dropped, refused(429, retry_after="0"), truncated, refused(503)])
    assert semsim("score-dir", *folders, "-o", there, "--url", proxy.url).returncode == 0
    assert table(here) == table(there)
    assert not proxy.faults


def without_a_pair(answer: Any) -> Any:
    """The answer of all pairs but the last."""
    return answer | {"results": answer["results"][:-1]}


def of_another_model(answer: Any) -> Any:
    """The answer as if another version had given it."""
    return answer | {"model": answer["model"] | {"version": "9.9.9"}}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (refused(401, "unauthenticated"), "unauthenticated"),
        (refused(400, "invalid_request"), "invalid_request"),
        (refused(200), "invalid_answer"),
        (altered(without_a_pair), "invalid_answer"),
        (altered(of_another_model), "invalid_answer"),
    ],
)
def test_a_run_that_the_service_ends_is_refused_and_can_go_on(
    semsim: Semsim,
    proxy: FaultyProxy,
    folders: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    code: str,
) -> None:
    """Exit code 2 and no table. The pairs before are in the journal, and the next call scores the others only."""
    monkeypatch.setattr("semsim.client.RemoteScorer.pairs_at_once", 50)
    output = tmp_path / "table.csv"
    proxy.faults.extend([None])
    proxy.always = fault
    shown = semsim("score-dir", *folders, "-o", output, "--url", proxy.url)
    assert shown.returncode == 2
    assert f"error [{code}]" in shown.stderr
    assert "the service ended the run: call again to go on" in shown.stderr
    assert not output.exists()
    proxy.always = None
    proxy.requests.clear()
    assert semsim("score-dir", *folders, "-o", output, "--url", proxy.url).returncode == 0
    assert len(proxy.requests) == 2
    assert len(table(output)) == 150


def test_a_refused_pair_is_not_scored(
    semsim: Semsim, proxy: FaultyProxy, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """A pair at which the service has a fault costs its own row, and the exit code says so."""
    bad = picture(32, 32, 20).tobytes()

    def faulty_at_one(request: Any, forward: Callable[[], Any]) -> Any:
        return refused(500, "internal")(request, forward) if bad in request.body else forward()

    proxy.always = faulty_at_one
    shown = semsim("score-dir", *folders, "-o", tmp_path / "table.csv", "--url", proxy.url)
    failed = [row["original"] for row in table(tmp_path / "table.csv") if row["error_code"] == "internal"]
    assert shown.returncode == 1
    assert "not scored" in shown.stderr
    assert {"040.png", "041.png"} <= set(failed)
    assert len(failed) < 8


def test_a_pair_that_met_a_fault_is_tried_again(
    semsim: Semsim, proxy: FaultyProxy, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """The next run asks for such pairs alone, and its table is that of a run without a fault."""
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"
    assert semsim("score-dir", *folders, "-o", here).returncode == 0
    bad = picture(32, 32, 20).tobytes()
    proxy.always = lambda request, forward: (
        refused(500, "internal")(request, forward) if bad in request.body else forward()
    )
    shown = semsim("score-dir", *folders, "-o", there, "--url", proxy.url)
    assert shown.returncode == 1
    failed = sum(row["error_code"] == "internal" for row in table(there))
    assert f"{failed} met a fault of the service: call again to score these alone" in shown.stderr
    proxy.always = None
    proxy.requests.clear()
    assert semsim("score-dir", *folders, "-o", there, "--url", proxy.url).returncode == 0
    assert table(there) == table(here)
    (request,) = proxy.requests
    assert request.headers["x-semsim-shape"].startswith(f"{failed},")
    assert not list(tmp_path.glob("*.partial.jsonl"))


def test_the_patience_is_an_option(
    semsim: Semsim, proxy: FaultyProxy, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """Without patience a service that is not ready ends the run at once."""
    proxy.always = refused(503, "not_ready")
    began = time.monotonic()
    shown = semsim("score-dir", *folders, "-o", tmp_path / "table.csv", "--url", proxy.url, "--patience", "0")
    assert (shown.returncode, time.monotonic() - began < 20) == (2, True)
    assert "error [not_ready]" in shown.stderr


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--patience", "0"), "invalid_option"),
        (("--url", "ftp://example.org"), "invalid_option"),
        (("--url", "http://user:word@example.org"), "invalid_option"),
        (("--url", "URL", "--model", "models/semsim-default"), "invalid_option"),
        (("--url", "URL", "--require", "cpu"), "invalid_option"),
        (("--url", "URL", "--match", "best"), "invalid_option"),
        (("--url", "URL", "--fail-above", "1"), "invalid_option"),
        (("--url", "URL", "--token-file", "no-such-file"), "system_error"),
        (("--url", "URL/elsewhere"), "not_found"),
        (("--token-file", "pyproject.toml"), "invalid_option"),
        (("--url", "NOBODY"), "unreachable"),
    ],
)
def test_a_service_that_cannot_be_used_is_refused(
    semsim: Semsim, service: LiveService, folders: tuple[Path, Path], options: tuple[str, ...], code: str
) -> None:
    """One line says why, and nothing is scored."""
    nobody = f"http://127.0.0.1:{free_port()}"
    given = [option.replace("URL", service.url).replace("NOBODY", nobody) for option in options]
    shown: Finished = semsim("score-dir", *folders, *given)
    assert shown.returncode == 2, shown.stderr
    assert shown.stderr.splitlines()[-1].startswith(f"error [{code}]: expected")
