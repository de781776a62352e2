"""The processes that a worker starts for a part of its work: how one begins, and how it ended."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType


def start_child(
    module: str, variables: Mapping[str, str] = MappingProxyType({})
) -> tuple["subprocess.Popen[bytes]", socket.socket]:
    """Start a module of the service as a process. Returns it with a socket to its standard input.

    Args:
        module: the name of the module.
        variables: environment variables beside those of this process. The service's own, of which the token may be
            one, are left out.

    Raises:
        OSError: no memory, no process or no descriptor is left.
    """
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("SEMSIM_")}
    path = os.pathsep.join(path for path in sys.path if path)
    ours, theirs = socket.socketpair()
    # systemd sends SIGTERM to all of a service's processes, and the worker still answers what it has accepted. This one
    # never sees it, from its first moment on: it inherits what this thread blocks.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        with theirs:
            # With -P the current folder holds none of its modules, and those are found where the worker found its own.
            # A session of its own: what a terminal sends to all of the service's processes would end it at its work.
            process = subprocess.Popen(  # noqa: S603  # the module is one of the service's
                [sys.executable, "-P", "-m", module],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                env={**kept, **variables, "PYTHONPATH": path},
            )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process, ours


def exit_status(code: int | None) -> str:
    """A process's exit status for an error or a line of the log."""
    return f"{code}, as the kernel ends one for want of memory" if code == -signal.SIGKILL else str(code)
