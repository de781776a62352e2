"""Failed logins are told with their source, and are not a way to fill a disk."""

import logging
import time
from pathlib import Path

import pytest

from semsim.exceptions import InvalidOption
from semsim_service.core.admission import Admission
from semsim_service.core.call import Call, Source, Transport
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.observing.audit_log import AuditLog
from semsim_service.observing.failed_logins import FailedLogins
from semsim_service.observing.limited_lines import LINES_A_SECOND
from semsim_service.settings import QueueLimits

SOURCE = Source("192.0.2.1:5", "caller", "/score")


@pytest.fixture
def call(metrics: ServiceMetrics) -> Call:
    """A request of one pair."""
    return Call(Transport.HTTP, "r1", 0.0, Admission(QueueLimits(), metrics), source=lambda: SOURCE, pairs=1)


def test_a_flood_of_failed_logins_is_a_few_lines(
    call: Call, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No more than ten lines a second are written. The next one counts those that were left out."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    logins = FailedLogins()
    for _ in range(1000):
        logins.log(call)
    now = 101.0
    logins.log(call)
    lines = [record.__dict__ for record in caplog.records]
    assert len(lines) == LINES_A_SECOND + 1
    assert (lines[0]["peer"], lines[0]["certificate"], lines[0]["path"]) == ("192.0.2.1:5", "caller", "/score")
    assert (lines[-2]["left_out"], lines[-1]["left_out"]) == (0, 1000 - LINES_A_SECOND)


def test_lines_that_cannot_be_written_are_told(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk loses lines of the audit log, not requests. The log says so once a minute."""
    audit = AuditLog(Path("/dev/full"))
    with caplog.at_level(logging.ERROR):
        audit.write(call, "ok")
        audit.write(call, "ok")
    assert [record.message for record in caplog.records] == [
        "lines of the audit log are lost, at /dev/full: No space left on device"
    ]
    audit.close()


def test_an_audit_log_that_cannot_be_opened_is_refused(call: Call, tmp_path: Path) -> None:
    """A folder that is not there, or one in the place of the file, stops the start, and nothing that runs."""
    for path in (tmp_path / "none" / "audit", tmp_path):
        with pytest.raises(InvalidOption, match=r"log\.audit_file"):
            AuditLog(path)
    folder = tmp_path / "logs"
    folder.mkdir()
    audit = AuditLog(folder / "audit")
    (folder / "audit").unlink()
    folder.rmdir()
    with pytest.raises(InvalidOption):
        audit.reopen()
    audit.write(call, "ok")
    audit.close()
