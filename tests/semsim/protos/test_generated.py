"""The committed Python is made of the committed .proto files."""

import subprocess
import sys
from pathlib import Path

import pytest

from semsim.protos.generate_stubs import GENERATED, ROOT, generate


def test_generated_code_is_current(tmp_path: Path) -> None:
    """`make protos` would change nothing, and there is no generated file that it does not make."""
    generate(tmp_path)
    for name in GENERATED:
        assert (tmp_path / name).read_text() == (ROOT / name).read_text(), f"{name}: run make protos"
    committed = {str(path.relative_to(ROOT)) for path in (ROOT / "semsim" / "protos").rglob("*_pb2*.py*")}
    assert {path for path in committed if "__pycache__" not in path} == set(GENERATED)


def test_protos_are_linted() -> None:
    """Buf finds no fault in the names, the comments and the layout of the service's own protocol."""
    buf = Path(sys.executable).parent / "buf"
    if not buf.is_file():
        pytest.skip("needs buf: the package buf-bin")
    done = subprocess.run([buf, "lint", "semsim/protos"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
