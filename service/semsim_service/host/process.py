"""Tells the processes of a BentoML server apart: the supervisor that starts workers, a worker, or neither.

BentoML imports the service in both, and in `bentoml build`, which serves nothing.
"""

import os
import socket
from dataclasses import dataclass

import click


@dataclass(frozen=True)
class Supervisor:
    """`bentoml serve`, before it starts its workers."""

    host: str | None
    """The address that the command was told to listen on. None = the service's own."""
    port: int | None
    certificate: str | None
    """The certificate of BentoML's own option, of which gRPC knows nothing."""


@dataclass(frozen=True)
class Worker:
    """A process that answers requests."""

    descriptor: int
    """The file descriptor of its listening socket."""

    @property
    def host(self) -> str | None:
        """The address that the worker listens on, however it was started. None = a socket that is not a network's."""
        with socket.socket(fileno=os.dup(self.descriptor)) as listening:
            if listening.family not in (socket.AF_INET, socket.AF_INET6):
                return None
            return str(listening.getsockname()[0])


def serving_process() -> Supervisor | Worker | None:
    """This process, as the options of the running command tell. BentoML has no other way to tell it."""
    context = click.get_current_context(silent=True)
    options = {} if context is None else context.params
    if {"fd", "worker_id"} <= options.keys():
        return Worker(options["fd"])
    if {"bento", "host", "port", "ssl_certfile"} <= options.keys():
        return Supervisor(options["host"], options["port"], options["ssl_certfile"])
    return None
