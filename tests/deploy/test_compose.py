"""Compose: what it mounts is there, it listens on loopback, and the container is locked down as in the chart."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy.promql import DEPLOY

FOLDER = DEPLOY / "compose"
BASE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
GPU = yaml.safe_load((FOLDER / "compose.gpu.yaml").read_text())


@pytest.mark.parametrize("compose", [BASE, GPU], ids=["base", "gpu"])
def test_what_is_mounted_is_there(compose: dict[str, Any]) -> None:
    """Every file that a service mounts is in the repository; named volumes are declared."""
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (FOLDER / source).resolve().exists(), source
            else:
                assert source in compose["volumes"]


def test_it_listens_on_loopback() -> None:
    """Requests carry originals, and Grafana asks nobody who they are."""
    ports = [port for service in BASE["services"].values() for port in service["ports"]]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_gpu_adds_to_services_that_exist() -> None:
    """The override names services of the base, and replaces the list of targets rather than adding one."""
    assert GPU["services"].keys() <= BASE["services"].keys()
    (override,) = GPU["services"]["prometheus"]["volumes"]
    replaced = [volume.split(":")[1] for volume in BASE["services"]["prometheus"]["volumes"]]
    assert override.split(":")[1] in replaced


def test_the_container_is_locked_down() -> None:
    """A read-only root without capabilities; the two folders that are written to are in memory."""
    service = BASE["services"]["semsim"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp", "/var/lib/semsim"]  # noqa: S108
    assert "privileged" not in service


def test_the_token_stays_out_of_the_repository() -> None:
    """The file that holds it is ignored by git."""
    token = (FOLDER / BASE["secrets"]["semsim-token"]["file"]).relative_to(ROOT)
    ignored = subprocess.run(["git", "check-ignore", "-q", str(token)], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_grafana_finds_what_is_provisioned() -> None:
    """The folder of dashboards is the mounted one, and the data source is Compose's Prometheus."""
    provisioning = DEPLOY / "grafana" / "provisioning"
    provider = yaml.safe_load((provisioning / "dashboards" / "semsim.yaml").read_text())["providers"][0]
    mounted = [Path(volume.split(":")[1]) for volume in BASE["services"]["grafana"]["volumes"]]
    assert any(path.parent == Path(provider["options"]["path"]) for path in mounted)
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
