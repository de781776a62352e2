"""Another model without an outage: a new replica comes before an old one goes, under load."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.artifacts import write_artifact
from tests.encoded import encode, picture
from tests.service.live import LiveService, base64_pair, serving

pytestmark = pytest.mark.slow

_CLIENTS = 4
# The chart's `preStopSeconds`, shorter: no client chooses the old replica any more when it is told to stop.
_PAUSE_SECONDS = 1.0


class Endpoints:
    """The replicas that are ready, as a Service of Kubernetes knows them, and clients that send them requests."""

    def __init__(self) -> None:
        self.ready: list[LiveService] = []
        self.versions: list[str] = []
        self.stopped = threading.Event()

    def send(self, client_number: int) -> int:
        """Send requests to whatever replica is ready, until told to stop. Returns the number of answers."""
        image, answers = encode(picture()), 0
        with httpx.Client(timeout=60) as client:
            while not self.stopped.is_set():
                replica = self.ready[client_number % len(self.ready)]
                answer = client.post(f"{replica.url}/score", json={"pairs": [base64_pair(image, image)]})
                assert answer.status_code == 200, answer.text
                self.versions.append(answer.json()["model"]["version"])
                answers += 1
        return answers


def test_no_request_is_lost_while_replicas_roll(tmp_path: Path) -> None:
    """Clients that send all the time get an answer to every request, first of the old model and then of the new one."""
    homes = [tmp_path / version for version in ("1.0.0", "2.0.0")]
    for home in homes:
        home.mkdir()
        write_artifact(home / "model", version=home.name)
    old, new = (
        serving(home, SEMSIM_ARTIFACT=str(home / "model"), SEMSIM_GRPC__PORT="0", SEMSIM_DECODE_THREADS="1")
        for home in homes
    )
    endpoints = Endpoints()
    with ThreadPoolExecutor(_CLIENTS) as pool:
        try:
            with old as first:
                endpoints.ready = [first]
                sent = [pool.submit(endpoints.send, number) for number in range(_CLIENTS)]
                second = new.__enter__()
                endpoints.ready = [second]
                time.sleep(_PAUSE_SECONDS)
            time.sleep(_PAUSE_SECONDS)
        finally:
            endpoints.stopped.set()
        answers = sum(each.result() for each in sent)
        new.__exit__(None, None, None)
    assert answers == len(endpoints.versions)
    assert sorted(set(endpoints.versions)) == ["1.0.0", "2.0.0"]
    assert endpoints.versions[0] == "1.0.0"
    assert endpoints.versions[-1] == "2.0.0"
