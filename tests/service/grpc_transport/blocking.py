"""A network that waits for leave."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from semsim.embedder import Embedder
from tests.service.grpc_transport.running import PATIENCE


@contextmanager
def blocked_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Runs of any network wait, within the block, until the event is set; ``begun`` of it says that one does."""
    embed, go, begun = Embedder.embed, threading.Event(), threading.Event()

    def wait(*arguments: object) -> object:
        begun.set()
        assert go.wait(PATIENCE)
        return embed(*arguments)  # type: ignore[arg-type]

    go.begun = begun  # type: ignore[attr-defined]
    monkeypatch.setattr(Embedder, "embed", wait)
    try:
        yield go
    finally:
        go.set()
