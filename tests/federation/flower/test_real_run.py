"""A real ``flwr run`` of the example with Ray, by its script."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from .conftest import EXAMPLE, HAS_FLOWER

if not HAS_FLOWER:
    pytest.skip("Flower is not installed here: make test-flower", allow_module_level=True)

from PIL import Image

from semsim_federation.series import read_series

pytestmark = [pytest.mark.slow, pytest.mark.timeout(700)]
ROUNDS = range(1, 6)


def run(out: Path, timeout: float) -> str:
    """The output of the example's script on digits, whose processes end with it."""
    script = subprocess.Popen(
        [EXAMPLE / "run.sh"], env=os.environ | {"SEMSIM_DATA": "", "OMP_NUM_THREADS": "1", "OUT": str(out)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = script.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(script.pid, signal.SIGTERM)
        output, _ = script.communicate(timeout=60)
        pytest.fail(f"expected a run of at most {timeout} s, got after it:\n{output[-4000:]}")
    assert script.returncode == 0, output[-4000:]
    return output


def test_what_leaks_is_blocked_in_every_round_and_noise_passes(tmp_path: Path) -> None:
    """Three clients and five rounds: client 0 is blocked each time, the others pass with noise, the probe sees all."""
    out = tmp_path / "out"
    output = run(out, 500)
    assert "The run ended after 5 rounds." in output
    rows = {path.stem: [json.loads(line) for line in path.read_text().splitlines()] for path in out.glob("*.jsonl")}
    series = {path.stem: read_series(path) for path in out.glob("*.parquet")}
    expected = {
        "client-0": [(number, "leaks", False, "none") for number in ROUNDS],
        "client-1": [(number, "not_shown", True, "gaussian:0.01") for number in ROUNDS],
        "client-2": [(number, "not_shown", True, "gaussian:0.01") for number in ROUNDS],
        "probe": [(number, "leaks", None, "none") for number in (0, *ROUNDS)],
    }
    kept = ("round", "verdict", "sent", "defense")
    assert {name: [tuple(row[key] for key in kept) for row in lines] for name, lines in rows.items()} == expected
    assert {
        name: [(row.round, row.verdict, row.sent, row.defense) for row in lines] for name, lines in series.items()
    } == expected
    assert all(row.leakage_max > row.control_mean for row in series["client-0"])
    assert all(row.leakage_max < rows["client-1"][0]["threshold"] for row in series["client-1"])
    for name in ("curve", *expected):
        assert Image.open(out / f"{name}.png").height > 500
