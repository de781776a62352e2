"""The service's side of a process that decodes large pictures: it is started at need, and killed when it is to end."""

import fcntl
import mmap
import os
import signal
import socket
import subprocess
from contextlib import suppress

import numpy as np

from semsim import exceptions
from semsim.exceptions import CorruptImage, InvalidImage, RequestTimeout, SemSimError
from semsim.images import DecodeLimits, RGBImage
from semsim.stages import Pause
from semsim_service.core.child_process import exit_status, start_child
from semsim_service.core.picture_process import ANSWER, LONGEST_TEXT, REQUEST

_LOOK_SECONDS = 0.05
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(2**20), "MALLOC_TRIM_THRESHOLD_": str(2**20), "OPENBLAS_NUM_THREADS": "1"}
"""Freed memory goes back to the system at once: the process idles with what it imports."""


class DecoderEnded(SemSimError):
    """The process ended at a picture, by itself or by the system's hand."""


class PictureDecoder:
    """Decodes one picture at a time, in a process. One thread calls it; any may close it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._closed = False

    def decode(self, data: bytes, limits: DecodeLimits, seconds: float, pause: Pause) -> RGBImage:
        """Decode one picture to uint8 ``(H, W, 3)``, in memory that is shared with the process.

        Args:
            data: the encoded picture.
            limits: its limits.
            seconds: the time after which the process is killed.
            pause: called again and again meanwhile. The process is killed where it raises an error.

        Raises:
            InvalidImage: the picture cannot be used; the class is that of :func:`semsim.images.decode`.
            RequestTimeout: it took longer than ``seconds``.
            DecoderEnded: the process ended at it.
        """
        limits.require_bytes(len(data))
        try:
            connection = self._connected()
            self._send(connection, REQUEST.pack(len(data), limits.max_bytes, limits.max_pixels, seconds), pause)
            self._send(connection, data, pause)
            return self._received(connection, limits, pause)
        except InvalidImage:
            raise
        except OSError as error:
            raise self._ended() from error
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End the process, whatever it is at. The next picture starts another."""
        process, self._process = self._process, None
        connection, self._connection = self._connection, None
        if process is not None:
            process.kill()
            process.wait()
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """End the process for good. The thread that waits for its picture gets an error."""
        self._closed = True
        if (process := self._process) is not None:
            process.kill()

    def _connected(self) -> socket.socket:
        if self._process is not None and self._process.poll() is not None:
            self.kill()
        if self._connection is None:
            if self._closed:
                raise RequestTimeout("the service stops")
            self._process, ours = start_child("semsim_service.core.picture_process", _MALLOC)
            ours.settimeout(_LOOK_SECONDS)
            self._connection = ours
        return self._connection

    def _send(self, connection: socket.socket, data: bytes, pause: Pause) -> None:
        view = memoryview(data)
        while view:
            pause()
            with suppress(TimeoutError):
                view = view[connection.send(view) :]

    def _received(self, connection: socket.socket, limits: DecodeLimits, pause: Pause) -> RGBImage:
        while True:
            try:
                answer, descriptors, _, _ = socket.recv_fds(connection, ANSWER.size + LONGEST_TEXT, 1)
                break
            except TimeoutError:
                pause()
        if len(answer) < ANSWER.size:
            raise ConnectionError("no answer")
        height, width, size = ANSWER.unpack(answer[: ANSWER.size])
        if not descriptors:
            raise _error(answer[ANSWER.size : ANSWER.size + size].decode(errors="replace"))
        with os.fdopen(descriptors[0], "r+b") as shared:
            # Cut by the process later, the memory would end this one at the first pixel that is gone (SIGBUS).
            fcntl.fcntl(shared, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
            limits.require_size(width, height)
            length = height * width * 3
            if os.fstat(shared.fileno()).st_size != length:
                raise ConnectionError("another size than that of the pixels")
            memory = mmap.mmap(shared.fileno(), length)
        return np.frombuffer(memory, dtype=np.uint8).reshape(height, width, 3)

    def _ended(self) -> Exception:
        """The error for a process that has gone."""
        process = self._process
        if process is None:
            return DecoderEnded("expected a process that decodes pictures, got none that starts")
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)  # its socket is closed a moment before it has ended
        code = process.returncode
        self.kill()
        if self._closed or code == -signal.SIGALRM:
            return RequestTimeout("the request is over")
        status = exit_status(code)
        return DecoderEnded(f"expected a picture, got the end of the process that decoded it (exit status {status})")


def _error(text: str) -> InvalidImage:
    """The error of a picture: one of the project's own classes, whatever the text says."""
    name, _, message = text.partition(":")
    kind = getattr(exceptions, name, None)
    return kind(message) if isinstance(kind, type) and issubclass(kind, InvalidImage) else CorruptImage(message)
