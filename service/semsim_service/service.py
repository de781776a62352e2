"""The BentoML service: loads the model, mounts the transports, says when it is ready."""

import asyncio

import bentoml

from semsim.memory import keep_freed_memory
from semsim.scorer import Scorer
from semsim_service import hosting, preflight
from semsim_service.auth import authenticator
from semsim_service.core.scoring import ScoringCore
from semsim_service.grpc_transport.transport import GRPCTransport
from semsim_service.http.app import HTTPTransport
from semsim_service.http.errors import EnvelopeMiddleware
from semsim_service.interpreter import (
    collect_regularly,
    give_back_regularly,
    let_network_go_first,
    tune_collector,
    tune_switching,
)
from semsim_service.metrics import ServiceMetrics
from semsim_service.observers import Observers
from semsim_service.process import stop_with_parent
from semsim_service.settings import load_settings

hosting.prepare()
_http = HTTPTransport()
_grpc = GRPCTransport()


# Loopback: the pairs hold private originals, so that listening wider is a decision (--host, BENTOML_HOST).
@bentoml.service(
    name="semsim",
    http={"host": "127.0.0.1", "port": 3000},
    traffic={"timeout": 60},
    **hosting.bentoml_options(),
)
@bentoml.asgi_app(_http.app)
class SemSimService:
    """Scores how recognizable reconstructions are. The work is in ``semsim_service.core``; this is its host."""

    def __init__(self) -> None:
        """Load and warm up the model: BentoML serves nothing before this returns."""
        keep_freed_memory(largest=2**23, most=2**26)
        self._settings = settings = load_settings()
        preflight.check_worker(settings)
        self._observers = Observers(settings)
        scorer = Scorer(settings.artifact, providers=settings.providers, batch_size=settings.batch_size)
        scorer.warm_up()
        _http.core = self._core = ScoringCore(
            scorer, settings, ServiceMetrics(), authenticator(settings.auth), self._observers
        )
        tune_collector()
        tune_switching()

    @bentoml.on_startup  # type: ignore[untyped-decorator]  # bentoml has no types
    async def start(self) -> None:
        """On the worker's event loop, before it serves."""
        let_network_go_first(self._settings.providers.cpu.threads)
        background = (self._core.observe_queue(), collect_regularly(), give_back_regularly(), stop_with_parent())
        self._tasks = [asyncio.create_task(work) for work in background]
        await _grpc.start(self._core, self._settings)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        """After the last HTTP request: answer the last gRPC ones, which may take as long as any request."""
        await _grpc.stop(self._settings.request_seconds)
        for task in self._tasks:
            task.cancel()
        # Nobody waits any more: its threads end with what they are at. The interpreter could otherwise end while one is
        # in ONNX Runtime.
        await asyncio.to_thread(self._core.close)
        await asyncio.to_thread(self._observers.close)

    @bentoml.on_deployment  # type: ignore[untyped-decorator]  # bentoml has no types
    @staticmethod
    def check() -> None:
        """Called once before the workers start: what they would fail on stops `bentoml serve` in one line."""
        with hosting.refusing():
            preflight.check()

    async def __is_ready__(self) -> bool:
        """Whether the warm-up is done, for ``/readyz``."""
        return _http.core is not None


SemSimService.add_asgi_middleware(EnvelopeMiddleware)  # type: ignore[attr-defined]  # the decorator made it a Service
