"""This process as BentoML's commands see it: within `bentoml serve`, and within a worker that it starts."""

import os
from unittest.mock import patch

import click
from _bentoml_impl.worker.service import main as worker_command
from bentoml_cli.serve import serve_command


def bentoml_serve(*options: str) -> click.Context:
    """A block within `bentoml serve` with these options."""
    return _context(serve_command.commands["serve"], *options)  # type: ignore[attr-defined]  # bentoml has no types


def bentoml_worker(descriptor: int) -> click.Context:
    """A block within a worker that listens on a socket."""
    arguments = ("semsim_service.service:SemSimService", "--fd", str(descriptor), "--worker-id", "1")
    return _context(worker_command, *arguments)


def _context(command: click.Command, *arguments: str) -> click.Context:
    # BentoML's commands set up logging and the environment while they read their options: this process keeps its own.
    with patch("logging.config.dictConfig"), patch.dict(os.environ):
        return command.make_context(command.name, list(arguments))
