"""Both workers behind one address answer, and the numbers are those of both."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
from prometheus_client.mmap_dict import MmapedDict

from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim.protos.semsim.v1.scorer_pb2_grpc import ScorerStub
from tests.service.guarded import AUTHORIZATION, Guarded
from tests.service.live import wait_until

_PATIENCE = 20


def _ask(guarded: Guarded, count: int) -> None:
    """Send requests over HTTP and gRPC, each over a new connection."""

    def over_http(_: int) -> None:
        with guarded.client() as client:
            assert client.get("/model").status_code == 200

    def over_grpc(_: int) -> None:
        with guarded.channel() as channel:
            metadata = (("authorization", AUTHORIZATION),)
            ScorerStub(channel).GetModel(pb.GetModelRequest(), metadata=metadata, timeout=_PATIENCE)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(over_http, range(count)))
        list(pool.map(over_grpc, range(count)))


def _counted(guarded: Guarded, worker: int) -> float:
    """The number of requests that a worker has counted itself."""
    path = guarded.metrics / f"counter_{worker}.db"
    if not path.exists():
        return 0
    values = MmapedDict.read_all_values_from_file(str(path))
    return sum(value for key, value, *_ in values if "semsim_requests_total" in key and '"ok"' in key)


def _totals(guarded: Guarded) -> tuple[float, float]:
    labels = {"code": "ok"}
    return tuple(guarded.total("semsim_requests_total", transport=way, **labels) for way in ("http", "grpc"))  # type: ignore[return-value]


def test_totals_are_those_of_all_workers_even_of_one_that_was_killed(guarded: Guarded) -> None:
    """The totals are the same whichever worker is asked. A killed worker takes only its queue's numbers with it."""
    assert len(guarded.workers()) == 2
    http, grpc = _totals(guarded)
    asked = 0
    while not all(_counted(guarded, worker.pid) for worker in guarded.workers()):  # the second may still be starting
        assert asked < 300
        _ask(guarded, 10)
        asked += 10
    assert {_totals(guarded) for _ in range(6)} == {(http + asked, grpc + asked)}
    victim = guarded.workers()[0]
    helpers = victim.children()
    processor = guarded.total("process_cpu_seconds_total")
    victim.send_signal(signal.SIGKILL)
    wait_until(lambda: not victim.is_running() or victim.status() == psutil.STATUS_ZOMBIE)
    assert _totals(guarded) == (http + asked, grpc + asked)
    assert not psutil.wait_procs(helpers, _PATIENCE)[1], "processes that outlive their worker"
    # The supervisor removes them when it learns of the death.
    wait_until(lambda: not list(guarded.metrics.glob(f"gauge_live*_{victim.pid}.db")))
    assert guarded.total("semsim_model_info") == 1
    wait_until(lambda: guarded.total("semsim_worker_deaths_total", cause="killed") > 0)
    assert guarded.total("semsim_worker_deaths_total", cause="killed") == 1
    assert guarded.total("semsim_worker_deaths_total") == 1
    assert guarded.total("process_cpu_seconds_total") >= processor, "that of its helpers counts, too"
    assert f"worker {victim.pid} died after ".encode() in guarded.live.log
    assert guarded.total("process_resident_memory_bytes") > 2**26
    assert guarded.total("semsim_connections", transport="http") >= 1
    _ask(guarded, 5)
    time.sleep(1.1)  # after ten scrapes in a row /metrics is made once a second
    assert _totals(guarded) == (http + asked + 5, grpc + asked + 5)
