"""C++ sources that stand beside modules: compiled once for the processor, and called on the memory of tensors."""

import ctypes
import hashlib
import logging
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode

_log = logging.getLogger(__name__)
_TYPES = {torch.float32: "float", torch.float64: "double"}
_FLAGS = ("-O3", "-std=c++17", "-shared", "-fPIC")
_PROCESSOR = {"AVX2": ("-mavx2", "-mfma"), "AVX512": ("-march=skylake-avx512", "-mprefer-vector-width=256")}
"""The compiler's flags by the capability that PyTorch reports; other processors get the compiler's default."""


def usable(source: Path, x: Tensor) -> bool:
    """True where the functions of a source can take a tensor: on a CPU, in float32 or float64, and compiled.

    While a graph is traced they cannot, because they would be missing in it.
    """
    return x.is_cpu and x.dtype in _TYPES and get_proxy_mode() is None and _library(source) is not None


def call(source: Path, name: str, *tensors: Tensor | None, sizes: tuple[int, ...]) -> None:
    """Call ``NAME_TYPE(pointers..., sizes...)``. Tensors are contiguous and of one type; ``None`` is a null pointer."""
    dtype = next(tensor.dtype for tensor in tensors if tensor is not None)
    pointers = [_pointer(tensor, dtype) for tensor in tensors]
    _function(source, name, dtype, len(tensors), len(sizes))(*pointers, *sizes)


def _pointer(tensor: Tensor | None, dtype: torch.dtype) -> int | None:
    if tensor is None:
        return None
    if tensor.dtype is not dtype:
        raise TypeError(f"expected tensors of one type, got {dtype} and {tensor.dtype}")
    return tensor.data_ptr()


@cache
def _function(source: Path, name: str, dtype: torch.dtype, pointers: int, sizes: int) -> Callable[..., None]:
    """A function of a compiled source that knows its arguments' types, without which each call takes twice as long."""
    function: Any = getattr(_library(source), f"{name}_{_TYPES[dtype]}")
    function.argtypes = [ctypes.c_void_p] * pointers + [ctypes.c_int64] * sizes
    function.restype = None
    return function  # type: ignore[no-any-return]


@cache
def _library(source: Path) -> ctypes.CDLL | None:
    """The compiled source; ``None``, and one line in the log, where there is no C++ compiler that takes it.

    It is kept in ``~/.cache/semsim`` under a hash of the source, the headers beside it, the compiler and the flags.
    """
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        _log.warning("attacking without native kernels: no c++, g++ or clang++ in PATH")
        return None
    try:
        return ctypes.CDLL(str(_compiled(source, compiler)))
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:  # RuntimeError: no home
        _log.warning("attacking without native kernels: %s: %s", type(error).__name__, error)
        return None


def _compiled(source: Path, compiler: str) -> Path:
    flags = (*_FLAGS, *_PROCESSOR.get(torch.backends.cpu.get_cpu_capability(), ()))
    version = subprocess.run([compiler, "--version"], capture_output=True, check=True).stdout  # noqa: S603
    sources = [path.read_bytes() for path in (source, *sorted(source.parent.glob("*.hpp")))]
    key = hashlib.sha256(b"\0".join([*sources, version, *(flag.encode() for flag in flags)])).hexdigest()
    kept = Path.home() / ".cache" / "semsim" / f"{source.stem}-{key[:16]}.so"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            made = Path(folder) / kept.name
            subprocess.run([compiler, *flags, str(source), "-o", str(made)], capture_output=True, check=True)  # noqa: S603
            made.replace(kept)  # at once: other processes may be waiting for it
    return kept
