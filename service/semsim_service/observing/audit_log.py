"""The audit log: a line of JSON for each request that had pairs to score, with who sent it and when, and no image."""

import json
import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from semsim.exceptions import InvalidOption
from semsim_service.core.call import Call

logger = logging.getLogger("semsim.service")

_TELL_SECONDS = 60.0


class AuditLog:
    """A file that lines are appended to, by all workers together. Each line is written at once, in one piece.

    Args:
        path: the file. It is made, for its owner alone, where it does not exist.

    Raises:
        InvalidOption: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = _open(path)
        self._told = -_TELL_SECONDS
        self._torn = False

    def write(self, call: Call, code: str) -> None:
        """Write the line of a request that ended with ``code``. A line that cannot be written is told by the log."""
        source = call.source()
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": call.request_id,
            "transport": call.transport.value,
            "peer": source.peer,
            "certificate": source.certificate,
            "path": source.path,
            "code": code,
            "pairs": call.pairs,
            "failed": call.failed,
        }
        data = b"\n" * self._torn + json.dumps(line).encode() + b"\n"
        try:
            written = os.write(self._descriptor, data)
            if written == len(data):
                self._torn = False
                return
            self._torn = True
            reason = "a part of a line was written"
        except OSError as error:
            reason = str(error.strerror)
        if time.monotonic() - self._told >= _TELL_SECONDS:
            self._told = time.monotonic()
            logger.error("lines of the audit log are lost, at %s: %s", self._path, reason)

    def reopen(self) -> None:
        """Open the file by its name again, once it was moved away. The file before stays in use where this fails.

        Raises:
            InvalidOption: the file cannot be opened.
        """
        descriptor = _open(self._path)
        os.close(self._descriptor)
        self._descriptor = descriptor

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _open(path: Path) -> int:
    # A pipe must not hold up the service: without a reader it is refused, and past what it takes lines are lost.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        raise InvalidOption(f"expected log.audit_file to be writable, got {path}: {error.strerror}") from None
