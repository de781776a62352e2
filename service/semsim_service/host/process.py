"""Tells the processes of a BentoML server apart: the supervisor that starts workers, a worker, or neither.

BentoML imports the service in both, and in `bentoml build`, which serves nothing.
"""

import os
import socket
from dataclasses import dataclass

import click

from semsim_service.settings import Settings


@dataclass(frozen=True)
class Supervisor:
    """`bentoml serve`, before it starts its workers."""

    host: str | None
    """The address that the command was told to listen on. None = the service's own."""
    port: int | None
    certificate: str | None
    """The certificate of BentoML's own option, of which gRPC knows nothing."""

    def address(self) -> tuple[str, int]:
        """The host and the port of HTTP, as far as the service is imported: its own where the command has none."""
        from bentoml._internal.configuration.containers import BentoMLContainer

        host = self.host or str(BentoMLContainer.http.host.get())
        return host, self.port or int(BentoMLContainer.http.port.get())


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


def tell_addresses(supervisor: Supervisor, settings: Settings) -> str:
    """The addresses of both transports in words, for the line of the log that says that the service is ready."""
    scheme = "https" if settings.tls.certificate or supervisor.certificate else "http"
    told = f": HTTP on {scheme}://{_joined(*supervisor.address())}"
    grpc = settings.grpc
    return told + (f", gRPC on {_joined(grpc.host, grpc.port)}" if grpc.port else ", no gRPC")


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
