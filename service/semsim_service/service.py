"""The BentoML service. It loads the model, mounts the transports, and says when it is ready."""

import asyncio
import signal

import bentoml
import uvicorn.config

from semsim.memory import keep_freed_memory
from semsim.scorer import Scorer
from semsim_service.access.auth import Tokens
from semsim_service.access.certificates import RenewedContext
from semsim_service.access.reloading import reload_all
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.core.scoring import ScoringCore
from semsim_service.grpc_transport.transport import GRPCTransport
from semsim_service.host import hosting, preflight
from semsim_service.host.interpreter import (
    collect_regularly,
    give_back_regularly,
    let_network_go_first,
    tune_collector,
    tune_switching,
)
from semsim_service.host.supervised import SupervisorTie, starting
from semsim_service.http.app import HTTPTransport
from semsim_service.http.errors import EnvelopeMiddleware
from semsim_service.http.front_door import FrontDoor
from semsim_service.observing.certificate_expiry import CertificateExpiry
from semsim_service.observing.observers import Observers
from semsim_service.observing.server_processes import ServerProcesses
from semsim_service.settings import Settings, load_settings
from semsim_service.web_page.static_files import static_files

hosting.prepare()
_https = RenewedContext()
uvicorn.config.create_ssl_context = _https.making(uvicorn.config.create_ssl_context)
_http = HTTPTransport(static_files(hosting.readable_settings()))
_grpc = GRPCTransport()


# Loopback by default: pairs hold private originals, so that a wider address must be chosen (--host, BENTOML_HOST).
@bentoml.service(
    name="semsim",
    http={"host": "127.0.0.1", "port": 3000},
    traffic={"timeout": 60},
    **hosting.bentoml_options(),
)
@bentoml.asgi_app(_http.app)
class SemSimService:
    """Scores how recognizable reconstructions are. The work is in ``semsim_service.core``, which this class hosts."""

    def __init__(self) -> None:
        """Load and warm up the model. BentoML serves nothing before this returns."""
        with starting():
            self._load(load_settings())

    def _load(self, settings: Settings) -> None:
        self._settings = settings
        preflight.check_worker(settings)
        keep_freed_memory(largest=2**23, most=2**26)
        self._observers = Observers(settings)
        scorer = Scorer(
            settings.artifact, providers=settings.providers, batch_size=settings.batch_size, lpips=settings.lpips
        )
        scorer.warm_up()
        self._tokens, self._expiry = Tokens(settings.auth), CertificateExpiry(settings.tls)
        self._expiry.observe()
        if (tie := SupervisorTie.of_environment()) is not None:
            _http.scrapes.collectors.append(ServerProcesses(tie.process, settings.grpc.port))
        _http.core = self._core = ScoringCore(scorer, settings, ServiceMetrics(), self._tokens.check, self._observers)
        tune_collector()
        tune_switching()

    @bentoml.on_startup  # type: ignore[untyped-decorator]  # bentoml has no types
    async def start(self) -> None:
        """Start gRPC and the background work, on the worker's event loop before it serves."""
        await self._core.start()
        let_network_go_first(self._settings.providers.cpu.threads)
        background = (self._core.observe_queue(), collect_regularly(), give_back_regularly())
        self._tasks = [asyncio.create_task(work) for work in background]
        await _grpc.start(self._core, self._settings)
        groups = (
            (self._tokens.reload,),
            (_https.reload, _grpc.reload),  # the new certificate is shown by both or by none
            (self._expiry.observe,),
            (self._observers.reopen,),
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload_all, groups)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # one that came during the start is handled now
        if (tie := SupervisorTie.of_environment()) is not None:
            # After BentoML's own line about this hook, so that the line that says "ready" is the last one.
            asyncio.get_running_loop().call_later(0.05, tie.tell_ready)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        """Answer the last gRPC requests, after those of HTTP. They may take as long as any request."""
        await _grpc.stop(self._settings.request_seconds)
        for task in self._tasks:
            task.cancel()
        # Nobody waits any more. The core's threads end with the work that they are at: otherwise the interpreter could
        # end while one of them is in ONNX Runtime.
        await asyncio.to_thread(self._core.close)
        await asyncio.to_thread(self._observers.close)

    @bentoml.on_deployment  # type: ignore[untyped-decorator]  # bentoml has no types
    @staticmethod
    def check() -> None:
        """Stop `bentoml serve` in one line where the workers would fail. Called once, before they start."""
        with hosting.refusing():
            preflight.check_deployment()

    async def __is_ready__(self) -> bool:
        """True once the warm-up is done and unless decoding or the network is stuck, for ``/readyz``."""
        return _http.core is not None and not _http.core.is_stuck


SemSimService.add_asgi_middleware(EnvelopeMiddleware)  # type: ignore[attr-defined]  # the decorator made it a Service
SemSimService.add_asgi_middleware(FrontDoor, settings=hosting.readable_settings(), score=_http.score_app)  # type: ignore[attr-defined]
hosting.finish()
