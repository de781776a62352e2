"""A network that waits until it is let go."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from semsim.embedder import Embedder
from semsim_service.core.batcher import Batcher
from tests.service.grpc_transport.running import PATIENCE


@contextmanager
def blocked_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A block in which runs of any network wait until the event is set. Its ``begun`` is set once a run waits."""
    embed, go, begun = Embedder.embed, threading.Event(), threading.Event()

    def wait(*arguments: object) -> object:
        begun.set()
        assert go.wait(PATIENCE)
        return embed(*arguments)  # type: ignore[arg-type]

    go.begun = begun  # type: ignore[attr-defined]
    monkeypatch.setattr(Embedder, "embed", wait)
    # A network whose last run took as long is never run in the event loop.
    monkeypatch.setattr(Batcher, "is_free", lambda *_: False)
    try:
        yield go
    finally:
        go.set()
