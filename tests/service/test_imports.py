"""Modules are imported where they are needed, and not before."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.service.live import free_port

_CODE = """
import json, os, sys

def show():
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))

from semsim_service.serve_command import app
os.execv = lambda *_: None
app(sys.argv[1:], standalone_mode=False)
show()
from semsim_service.observing.observers import Observers
from semsim_service.settings import Settings
Observers(Settings())
show()
import semsim_service.service
show()
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The top-level modules of a process after each of three steps: serve, observers, service."""
    home = tmp_path_factory.mktemp("home")
    shown = subprocess.run(
        [sys.executable, "-c", _CODE, "--port", str(free_port()), "--grpc-port", "0"],
        cwd=ROOT,
        env=os.environ | {"BENTOML_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    steps = [set(json.loads(line)) for line in shown.splitlines()]
    return dict(zip(("serve", "observers", "service"), steps, strict=True))


def test_semsim_serve_checks_a_start_without_bentoml(imported: dict[str, set[str]]) -> None:
    """Until it becomes BentoML's process `semsim serve` imports neither BentoML nor gRPC, so that it refuses fast."""
    assert not imported["serve"] & {"bentoml", "grpc", "starlette", "torch"}


def test_without_an_endpoint_tracing_imports_nothing(imported: dict[str, set[str]]) -> None:
    """The observers of the default settings make no tracer, and import no OpenTelemetry."""
    assert "opentelemetry" not in imported["observers"]


def test_the_service_imports_nothing_that_its_image_leaves_out(imported: dict[str, set[str]]) -> None:
    """The service uses neither pyarrow nor scipy, which the image has not, nor torch."""
    assert "bentoml" in imported["service"]
    assert not imported["service"] & {"pyarrow", "scipy", "torch"}
