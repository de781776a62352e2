"""The service under BentoML: what it is told of the settings, and what happens when it imports the service."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from semsim.exceptions import SemSimError
from semsim_service import bentoml_faults, logs, preflight, tls
from semsim_service.http.malformed import answer_malformed_in_envelope
from semsim_service.process import Supervisor, Worker, serving_process
from semsim_service.settings import Settings, load_settings


def bentoml_options() -> dict[str, Any]:
    """The arguments of ``@bentoml.service`` that follow from the settings.

    The module is also imported where nothing is served, and settings that cannot be read are told by
    :func:`semsim_service.preflight.check`: here they count as not there.
    """
    try:
        settings = load_settings()
    except SemSimError:
        settings = Settings.model_construct()
    return {**bentoml_faults.QUIET, "workers": settings.workers, **tls.bentoml_options(settings.tls)}


def prepare() -> None:
    """Call before BentoML builds anything: in a server's processes set up what later would come too late.

    `bentoml serve` imports the service before it empties the metrics of its home, and a worker before it builds its
    application.
    """
    process = serving_process()
    if process is None:
        return
    logs.configure()
    if isinstance(process, Worker):
        bentoml_faults.drop_middlewares()
        answer_malformed_in_envelope()
    if isinstance(process, Supervisor):
        # For the workers. gRPC's C++ writes lines of its own form, one for each client that fails at TLS.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        # One heap for all threads: of the others glibc never gives back the end, which creeps up to the largest that
        # each thread has ever held at once.
        os.environ.setdefault("MALLOC_ARENA_MAX", "1")
        from bentoml._internal.configuration.containers import BentoMLContainer

        with refusing():
            preflight.claim(process, Path(BentoMLContainer.bentoml_home.get()))


@contextmanager
def refusing() -> Iterator[None]:
    """A block whose errors of ours end the process as they end a command: one line, exit code 2."""
    try:
        yield
    except SemSimError as error:
        print(f"error [{error.code}]: {error}", file=sys.stderr)
        raise SystemExit(2) from None
