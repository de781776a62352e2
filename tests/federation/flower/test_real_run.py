"""A real ``flwr run`` of the example with Ray."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import EXAMPLE, HAS_FLOWER

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_FLOWER, reason="Flower is not installed here: make test-flower"),
]
ENVIRONMENT = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "OMP_NUM_THREADS": "1",
    "SEMSIM_DATA": "",
}
CONFIGURATION = "num-supernodes=3 client-resources-num-cpus=1 init-args-num-cpus=1"
BIN = Path(sys.executable).parent


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment for ``flwr``, with a SuperLink of its own that ends with the test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text(f'[superlink.test]\naddress = "127.0.0.1:{port}"\ninsecure = true\n')
    environment = os.environ | ENVIRONMENT | {"FLWR_HOME": str(home), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    command = ["flower-superlink", "--insecure", "--simulation", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "superlink.log").open("w") as log:
        superlink = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health")
        yield environment
    finally:
        os.killpg(superlink.pid, signal.SIGTERM)
        try:
            superlink.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(superlink.pid, signal.SIGKILL)


def _wait_for(address: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(address, timeout=1).close()  # noqa: S310  # our own address
        except OSError:
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"nothing answers at {address}")


def test_what_leaks_is_blocked_in_every_round_and_noise_passes(environment: dict[str, str], tmp_path: Path) -> None:
    """Three clients and five rounds: client 0 is blocked each time, the others pass with noise, the probe sees all."""
    command = ["flwr", "run", str(EXAMPLE), "test", "--stream", "--federation-config", CONFIGURATION]
    run = subprocess.run(
        [*command, "--run-config", f'out="{tmp_path / "out"}"'], env=environment, capture_output=True, text=True,
        timeout=280, check=False,
    )  # fmt: skip
    assert "The run ended after 5 rounds." in run.stdout + run.stderr, (run.stdout + run.stderr)[-4000:]
    rows = {
        path.stem: [json.loads(line) for line in path.read_text().splitlines()]
        for path in (tmp_path / "out").glob("*.jsonl")
    }
    kept = ("round", "verdict", "sent", "defense")
    told = {name: [tuple(row[key] for key in kept) for row in lines] for name, lines in rows.items()}
    rounds = range(1, 6)
    assert told == {
        "client-0": [(number, "leaks", False, "none") for number in rounds],
        "client-1": [(number, "not_shown", True, "gaussian:0.01") for number in rounds],
        "client-2": [(number, "not_shown", True, "gaussian:0.01") for number in rounds],
        "probe": [(number, "leaks", None, "none") for number in (0, *rounds)],
    }
