"""C++ beside a module, compiled once for the processor and kept."""

import ctypes
import hashlib
import logging
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import torch

_log = logging.getLogger(__name__)
_FLAGS = ("-O3", "-std=c++17", "-shared", "-fPIC")
_PROCESSOR = {"AVX2": ("-mavx2", "-mfma"), "AVX512": ("-march=skylake-avx512", "-mprefer-vector-width=256")}
"""By what PyTorch itself found in the processor; others get the compiler's default."""


@cache
def library(source: Path) -> ctypes.CDLL | None:
    """The compiled source, or none (and one line in the log) where there is no C++ compiler that takes it.

    Kept in ``~/.cache/semsim`` under a hash of source, compiler and flags.
    """
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        _log.warning("attacking without native kernels: no c++, g++ or clang++ in PATH")
        return None
    try:
        return ctypes.CDLL(str(_compiled(source, compiler)))
    except (OSError, subprocess.SubprocessError) as error:
        _log.warning("attacking without native kernels: %s: %s", type(error).__name__, error)
        return None


def _compiled(source: Path, compiler: str) -> Path:
    flags = (*_FLAGS, *_PROCESSOR.get(torch.backends.cpu.get_cpu_capability(), ()))
    version = subprocess.run([compiler, "--version"], capture_output=True, check=True).stdout  # noqa: S603
    key = hashlib.sha256(b"\0".join([source.read_bytes(), version, *(flag.encode() for flag in flags)])).hexdigest()
    kept = Path.home() / ".cache" / "semsim" / f"{source.stem}-{key[:16]}.so"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            made = Path(folder) / kept.name
            subprocess.run([compiler, *flags, str(source), "-o", str(made)], capture_output=True, check=True)  # noqa: S603
            made.replace(kept)  # at once: other processes may be waiting for it
    return kept
