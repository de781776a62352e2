"""Several workers behind one address: both answer, and the numbers are those of all of them."""

import signal
from concurrent.futures import ThreadPoolExecutor

import psutil

from service.protos.semsim.v1 import scorer_pb2 as pb
from service.protos.semsim.v1.scorer_pb2_grpc import ScorerStub
from tests.service.guarded import AUTHORIZATION, Guarded

_PATIENCE = 20


def _ask(guarded: Guarded, count: int) -> None:
    """Requests over HTTP and gRPC, each over a connection of its own."""

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


def _totals(guarded: Guarded) -> tuple[float, float]:
    labels = {"code": "ok"}
    return tuple(guarded.total("semsim_requests_total", transport=way, **labels) for way in ("http", "grpc"))  # type: ignore[return-value]


def test_totals_are_those_of_all_workers_even_of_one_that_was_killed(guarded: Guarded) -> None:
    """N requests are N, whichever worker is asked; a killed one takes no number with it but its queue's."""
    assert len(guarded.workers()) == 2
    http, grpc = _totals(guarded)
    _ask(guarded, 20)
    assert {_totals(guarded) for _ in range(6)} == {(http + 20, grpc + 20)}
    metrics = guarded.live.home / "prometheus_multiproc_dir"
    counting = {worker.pid for worker in guarded.workers() if (metrics / f"counter_{worker.pid}.db").exists()}
    assert len(counting) == 2
    # Workers to which gRPC's and HTTP's connections went: the system shares them out, over as many as this to both.
    victim = guarded.workers()[0]
    victim.send_signal(signal.SIGKILL)
    psutil.wait_procs([victim], timeout=_PATIENCE)
    assert _totals(guarded) == (http + 20, grpc + 20)
    assert not list(metrics.glob(f"gauge_live*_{victim.pid}.db"))
    assert guarded.total("semsim_model_info") == 1
    _ask(guarded, 5)
    assert _totals(guarded) == (http + 25, grpc + 25)
