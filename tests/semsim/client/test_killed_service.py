"""A service whose queue is short and whose worker is killed in the middle of a run."""

import signal
import time
from pathlib import Path
from threading import Thread

import psutil
import pytest

from semsim import Scorer
from semsim.client import Client, GrpcClient
from tests.encoded import picture
from tests.semsim.client.conftest import same
from tests.service.live import CLIENT, serving

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", [Client, GrpcClient])
def test_a_killed_worker_and_a_full_queue_lose_no_pair(
    calibrated_artifact: Path, tmp_path: Path, kind: type[Client | GrpcClient]
) -> None:
    """The run goes on when the service is back; each pair has the score that the library gives it."""
    images = [picture(32, 32, seed) for seed in range(60)]
    pairs = [(images[number % 60], images[(number * 7 + number // 60) % 60]) for number in range(3000)]
    # No room for two requests at once: three of the client's four get 429.
    settings = {"SEMSIM_ARTIFACT": str(calibrated_artifact), "SEMSIM_LIMITS__PAIRS": "64", "SEMSIM_QUEUE__PAIRS": "64"}
    with (
        serving(tmp_path, **settings) as live,
        kind(live.url if kind is Client else f"http://{live.grpc}") as client,
    ):
        (worker,) = [
            child
            for child in psutil.Process(live.process).children(recursive=True)
            if "_bentoml_impl.worker.service" in " ".join(child.cmdline())
        ]
        outcomes: list[object] = []
        run = Thread(target=lambda: outcomes.extend(client.score_pairs(pairs)))
        run.start()
        while 'code="ok"' not in (metrics := CLIENT.get(f"{live.url}/metrics").text):
            time.sleep(0.02)
        worker.send_signal(signal.SIGKILL)
        assert run.is_alive()
        run.join(120)
        metrics = CLIENT.get(f"{live.url}/metrics").text
    same(outcomes, Scorer(calibrated_artifact).score_pairs(pairs))
    assert 'semsim_rejected_total{reason="queue_pairs"}' in metrics
