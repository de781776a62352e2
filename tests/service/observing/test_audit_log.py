"""Lines of the audit log are whole, and none of them holds up the service."""

import json
import logging
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from semsim.exceptions import InvalidOption
from semsim_service.core.admission import Admission
from semsim_service.core.call import Call, Transport
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.observing.audit_log import AuditLog
from semsim_service.settings import QueueLimits

LOST = "lines of the audit log are lost"


@pytest.fixture
def call(metrics: ServiceMetrics) -> Call:
    """A request."""
    return Call(Transport.HTTP, "a-request", 0.0, Admission(QueueLimits(), metrics))


@contextmanager
def _small_files(size: int) -> Iterator[None]:
    """A block in which no file of this process can grow past a size, as on a full disk."""
    handler, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_line_behind_a_torn_one_is_whole(tmp_path: Path, call: Call, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk tears a line. Those that are written once there is room again can be read."""
    log = AuditLog(tmp_path / "audit.jsonl")
    log.write(call, "ok")
    size = (tmp_path / "audit.jsonl").stat().st_size
    with _small_files(size + size // 2):
        for _ in range(3):
            log.write(call, "lost")
    log.write(call, "timeout")
    log.write(call, "internal")
    log.close()
    first, torn, *others = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["code"] for line in (first, *others)] == ["ok", "timeout", "internal"]
    assert torn.startswith('{"time"')
    assert [record.levelno for record in caplog.records if LOST in record.message] == [logging.ERROR]


def test_a_pipe_that_nobody_reads_holds_nothing_up(
    tmp_path: Path, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    """A pipe without a reader is refused. Where its reader stops reading, lines are lost, and the log says so."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InvalidOption, match=r"expected log\.audit_file to be writable"):
        AuditLog(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = AuditLog(pipe)
    while LOST not in caplog.text:
        log.write(call, "ok")
    log.close()
    os.close(reader)
