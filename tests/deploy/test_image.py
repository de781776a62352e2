"""The container image: the Dockerfile that `bentoml build` writes, and the image itself where it can be built."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
import yaml

from tests.bento import Bento
from tests.conftest import ROOT
from tests.deploy.promql import DEPLOY
from tests.service.live import LiveService
from tests.service.refusing import MODULE, refused

pytestmark = pytest.mark.slow

IMAGE = DEPLOY / "image"
SKIPPED = 77


@pytest.fixture
def dockerfile(bento: Bento) -> str:
    """The Dockerfile of the bento."""
    return (bento.directory / "env" / "docker" / "Dockerfile").read_text()


def test_it_is_one_dockerfile_for_both_images(dockerfile: str) -> None:
    """The base image is a build argument. By default it is the CPU's."""
    assert re.search(
        r"^ARG BASE_IMAGE=python:3\.12\.\d+-slim-bookworm@sha256:[0-9a-f]{64}\nFROM ", dockerfile, re.MULTILINE
    )
    assert dockerfile.count("FROM ") == 1


def test_it_listens_for_everybody_but_root_is_not_there(dockerfile: str) -> None:
    """The image has both ports, a numbered user and the address 0.0.0.0, and sends no usage reports."""
    lines = dockerfile.splitlines()
    assert "EXPOSE 3000 3001" in lines
    assert lines.index("USER 10001:10001") > max(i for i, line in enumerate(lines) if line.startswith(("RUN", "COPY")))
    assert 'ENTRYPOINT ["/app/.venv/bin/python", "-m", "semsim_service", "--host", "0.0.0.0"]' in lines
    assert "BENTOML_DO_NOT_TRACK=true" in dockerfile


def test_a_worker_that_dies_is_started_again(dockerfile: str) -> None:
    """The variable with which BentoML leaves dead workers dead is not set."""
    assert "BENTOML_CONTAINERIZED=" not in dockerfile


def test_the_image_leaves_out_what_the_service_does_not_use(dockerfile: str, bento: Bento, tmp_path: Path) -> None:
    """The image has neither pyarrow nor scipy, and the CPU's has onnxruntime, not onnxruntime-gpu, on any machine."""
    requirements = (bento.directory / "src" / "requirements" / "serve.txt").read_text()
    (tmp_path / "requirements.txt").write_text(requirements)
    (edits,) = re.findall(r"RUN (awk .*?) && \\\n    python3 -m venv", dockerfile, re.DOTALL)
    subprocess.run(["bash", "-ec", edits], cwd=tmp_path, check=True, env=os.environ | {"VARIANT": "cpu"})
    pins = re.split(r"^(?=[a-z])", (tmp_path / "pins.txt").read_text(), flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in pin for pin in pins)
    names = {pin.partition("==")[0] for pin in pins}
    unused = {"pyarrow", "scipy", "onnxruntime-gpu"}
    assert names == set(re.findall(r"^([a-z][\w.-]*)==", requirements, re.MULTILINE)) - unused
    kept = [pin.partition(" \\\n")[0].strip() for pin in pins]
    (runtime,) = [line for line in kept if line.startswith("onnxruntime")]
    assert re.fullmatch(r"onnxruntime==[\d.]+", runtime)
    assert not [line for line in kept if line.startswith(("pyarrow", "scipy"))]


def test_tensorrt_is_the_version_that_the_project_asks_for(dockerfile: str) -> None:
    """The bounds of TensorRT's version are those of the extra `tensorrt`."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert f"'{extras['tensorrt'][0].split(';')[0].strip()}'" in dockerfile


def test_what_it_runs_is_semsim_serve(tmp_path: Path) -> None:
    """The entry point refuses what `semsim serve` refuses, in one line, with exit code 2."""
    error = refused(tmp_path, "--host", "127.0.0.1", command=MODULE, SEMSIM_ARTIFACT="/nowhere")
    assert error.startswith("error [artifact_not_found]: expected")


def test_the_check_of_helm_test_passes_a_live_service(service: LiveService) -> None:
    """The script that `helm test` and try.sh run finds that the service works."""
    script = DEPLOY / "helm" / "semsim" / "files" / "score_once.py"
    environment = {name: value for name, value in os.environ.items() if name != "TOKEN_FILE"} | {"URL": service.url}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "is ready and scores: distances 0.0000" in done.stdout


def test_the_scripts_say_what_is_wrong() -> None:
    """Without a variant build.sh ends with how to call it."""
    ended = subprocess.run([IMAGE / "build.sh"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "expected cpu or gpu" in ended.stderr


@pytest.mark.timeout(1800)
def test_the_cpu_image_is_built_and_scores() -> None:
    """try.sh builds the image on a new Debian and scores a pair with it. It takes minutes, and runs when asked for."""
    if os.environ.get("TRY_IMAGE") != "1":
        pytest.skip("takes minutes and 3 GB: set TRY_IMAGE=1")
    done = subprocess.run(
        [IMAGE / "try.sh"], env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True, check=False
    )
    if done.returncode == SKIPPED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_image_is_named_by_its_digest() -> None:
    """Base images and Compose's images cannot change under their tags, and the CPU's is the same in both places."""
    bentofile = yaml.safe_load((ROOT / "bentofile.yaml").read_text())["docker"]["base_image"]
    bases = re.findall(r"BASE_IMAGE:-([^}]*)}", (IMAGE / "build.sh").read_text())
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())["services"]
    others = [service["image"] for name, service in compose.items() if name != "semsim"]
    assert bases[0] == bentofile
    for image in (*bases, *others):
        assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image), image


def test_runbooks_run_what_the_image_has() -> None:
    """Slim images of Debian have no program `kill`; the shell's own is there in each."""
    pages = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    programs = re.findall(r"kubectl [^\n]* exec [^\n]* -- (\S+)", pages)
    assert programs
    assert set(programs) <= {"sh", "python"}


def test_the_bill_of_materials_names_every_package() -> None:
    """The script, in any Python, lists each package with its version and its address, once."""
    command = [sys.executable, str(IMAGE / "sbom.py"), "semsim:cpu", "base@sha256:0"]
    bill = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    components = {component["bom-ref"]: component for component in bill["components"]}
    assert len(components) == len(bill["components"])
    pillow = version("pillow")
    assert components[f"pkg:pypi/pillow@{pillow}"]["version"] == pillow
    names = {component["name"] for component in bill["components"]}
    assert names >= {distribution.metadata["Name"] for distribution in distributions()}


def test_pins_have_hashes() -> None:
    """Each package of each file of pins has a hash, so that an index cannot give another one."""
    for path in (ROOT / "requirements").glob("*.txt"):
        for pin in re.split(r"^(?=[a-z])", path.read_text(), flags=re.MULTILINE)[1:]:
            assert "--hash=sha256:" in pin, (path.name, pin[:60])
