"""Execution providers: the settings of each, and the opening of a session that reports which one runs.

ONNX Runtime lists TensorRT and CUDA as available on machines that have neither, and falls back without an error.
So the driver and the libraries are looked for first, and the report tells what the session says.
"""

import contextlib
import ctypes
import importlib.util
import io
import logging
import os
import sys
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

# This must precede the import: ONNX Runtime's wheels report their use to their makers unless told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
import onnxruntime.capi.onnxruntime_pybind11_state as ort_errors
from pydantic import BaseModel, ConfigDict, Field

from semsim.exceptions import InvalidGraph, ProviderUnavailable
from semsim.manifest import InputSpec

logger = logging.getLogger("semsim.providers")

INPUT_NAME = "images"
OUTPUT_NAME = "embeddings"


class Provider(StrEnum):
    """An execution provider of ONNX Runtime."""

    TENSORRT = "tensorrt"
    CUDA = "cuda"
    CPU = "cpu"


_ORT_NAME = {
    Provider.TENSORRT: "TensorrtExecutionProvider",
    Provider.CUDA: "CUDAExecutionProvider",
    Provider.CPU: "CPUExecutionProvider",
}
# ONNX Runtime's exceptions have no common base below Exception.
_ORT_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_TENSORRT_LIBRARIES = ("libnvinfer.so.10", "libnvonnxparser.so.10")
_NO_DRIVER = "no NVIDIA driver (libcuda.so.1)"


Arithmetic = Literal["fp32", "tf32", "fp16"]
"""How an execution provider computes what a graph has in single precision."""


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TensorRTOptions(_Options):
    """The options of TensorRT. It builds an engine, which takes minutes: give it cache directories."""

    device_id: Annotated[int, Field(ge=0)] = 0
    fp16: bool = True
    engine_cache_dir: Path | None = None
    """The directory that keeps built engines; an engine fits one GPU model and one TensorRT version."""
    timing_cache_dir: Path | None = None
    """The directory that keeps kernel timings, which shorten a rebuild."""
    workspace_bytes: Annotated[int, Field(ge=2**20)] = 2**30

    def to_onnxruntime(self, images: InputSpec, max_batch: int) -> dict[str, str]:
        """The provider options as ONNX Runtime reads them; the optimisation profile covers 1..max_batch images."""

        def shape(batch: int) -> str:
            return f"{INPUT_NAME}:{batch}x{images.height}x{images.width}x3"

        options = {
            "device_id": str(self.device_id),
            "trt_fp16_enable": str(self.fp16),
            "trt_max_workspace_size": str(self.workspace_bytes),
            "trt_profile_min_shapes": shape(1),
            "trt_profile_opt_shapes": shape(max_batch),
            "trt_profile_max_shapes": shape(max_batch),
        }
        if self.engine_cache_dir is not None:
            options |= {"trt_engine_cache_enable": "True", "trt_engine_cache_path": str(self.engine_cache_dir)}
        if self.timing_cache_dir is not None:
            options |= {"trt_timing_cache_enable": "True", "trt_timing_cache_path": str(self.timing_cache_dir)}
        return options


class CUDAOptions(_Options):
    """The options of CUDA."""

    device_id: Annotated[int, Field(ge=0)] = 0
    memory_limit_bytes: Annotated[int, Field(ge=2**20)] | None = None
    tf32: bool = True
    cudnn_search: Literal["exhaustive", "heuristic", "default"] = "heuristic"
    """ONNX Runtime's own default searches exhaustively, again for every new batch size."""

    def to_onnxruntime(self) -> dict[str, str]:
        """The provider options as ONNX Runtime reads them."""
        options = {
            "device_id": str(self.device_id),
            "use_tf32": str(int(self.tf32)),
            "cudnn_conv_algo_search": self.cudnn_search.upper(),
            "arena_extend_strategy": "kSameAsRequested",
        }
        if self.memory_limit_bytes is not None:
            options["gpu_mem_limit"] = str(self.memory_limit_bytes)
        return options


class CPUOptions(_Options):
    """The options of the CPU."""

    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """The threads inside one operator; 0 = one a core."""
    spinning: bool = False
    """Lets idle threads spin: a little faster on an idle machine, half as fast on a busy one."""


class ProviderSettings(_Options):
    """The providers to try, in their order, with the options of each."""

    order: Annotated[tuple[Provider, ...], Field(min_length=1)] = (Provider.TENSORRT, Provider.CUDA, Provider.CPU)
    required: Provider | None = None
    """A provider without which loading fails instead of falling back."""
    tensorrt: TensorRTOptions = TensorRTOptions()
    cuda: CUDAOptions = CUDAOptions()
    cpu: CPUOptions = CPUOptions()

    def without_tensorrt(self) -> "ProviderSettings":
        """The settings with TensorRT left out; the CPU where it was alone."""
        order = tuple(one for one in self.order if one is not Provider.TENSORRT) or (Provider.CPU,)
        required = None if self.required is Provider.TENSORRT else self.required
        return self.model_copy(update={"order": order, "required": required})

    def to_onnxruntime(self, provider: Provider, images: InputSpec, max_batch: int) -> tuple[str, dict[str, str]]:
        """One entry of the ``providers`` argument of ``onnxruntime.InferenceSession``."""
        match provider:
            case Provider.TENSORRT:
                return _ORT_NAME[provider], self.tensorrt.to_onnxruntime(images, max_batch)
            case Provider.CUDA:
                return _ORT_NAME[provider], self.cuda.to_onnxruntime()
            case Provider.CPU:
                return _ORT_NAME[provider], {}

    def arithmetic(self, provider: Provider) -> Arithmetic:
        """How ``provider`` computes what a graph has in single precision. TensorRT takes TensorFloat-32 by itself."""
        match provider:
            case Provider.TENSORRT:
                return "fp16" if self.tensorrt.fp16 else "tf32"
            case Provider.CUDA:
                return "tf32" if self.cuda.tf32 else "fp32"
            case Provider.CPU:
                return "fp32"


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """The providers that were asked for, the one that runs, and the reasons why others do not."""

    active: Provider
    """The provider that runs the graph; operators that it lacks go to the next in the order."""
    requested: tuple[Provider, ...]
    missing: tuple[tuple[Provider, str], ...]
    """The requested providers that do not run, each with the reason."""
    arithmetic: Arithmetic
    """How the active provider computes what the graph has in single precision: its distances are of this precision."""
    onnxruntime: str
    """The version of ONNX Runtime."""


def unavailable_reason(provider: Provider) -> str | None:
    """The reason why ``provider`` cannot run here, or None where nothing speaks against it."""
    if _ORT_NAME[provider] not in onnxruntime.get_available_providers():
        return "not in this build of ONNX Runtime"
    if provider is Provider.CPU or sys.platform != "linux":
        return None
    return _missing_library(provider)


@cache
def _missing_library(provider: Provider) -> str | None:
    """The first library that the provider needs and that cannot be loaded, as a reason; None where all can.

    The provider's own library is left to ONNX Runtime, which must prepare the process before it is loaded.
    """
    if not _loads("libcuda.so.1"):
        return _NO_DRIVER
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what is missing; the report says that in one line
        onnxruntime.preload_dlls()  # CUDA and cuDNN of the nvidia-* wheels, where these are installed
    cuda = str(onnxruntime.cuda_version).partition(".")[0]
    needed = [f"libcudart.so.{cuda}", f"libcublasLt.so.{cuda}", f"libcublas.so.{cuda}", "libcudnn.so.9"]
    if provider is Provider.TENSORRT:
        _preload_tensorrt()
        needed += _TENSORRT_LIBRARIES
    missing = next((name for name in needed if not _loads(name)), None)
    return None if missing is None else f"cannot load {missing}"


def _preload_tensorrt() -> None:
    """Load TensorRT from the tensorrt-* wheels: the loader does not search their folder."""
    wheel = importlib.util.find_spec("tensorrt_libs")
    for folder in [] if wheel is None else wheel.submodule_search_locations or []:
        for name in _TENSORRT_LIBRARIES:
            _loads(str(Path(folder) / name))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True


def check_required(settings: ProviderSettings) -> None:
    """Refuse settings whose required provider is unusable, without loading a graph.

    Raises:
        ProviderUnavailable: as :func:`open_session` would.
    """
    if settings.required is not None:
        _refuse_missing(settings, _missing((settings.required,)))


def open_session(
    graph: bytes, images: InputSpec, settings: ProviderSettings, max_batch: int
) -> tuple[onnxruntime.InferenceSession, ProviderReport]:
    """Open ``graph``, for batches of 1..max_batch images, on the first usable provider of ``settings.order``.

    Every provider that is passed over is logged in one line with its reason.

    Raises:
        ProviderUnavailable: the required provider, or every provider in the order, is unusable.
        InvalidGraph: ONNX Runtime cannot load the graph.
    """
    missing = _missing(settings.order)
    usable = [provider for provider in settings.order if provider not in missing]
    _refuse_missing(settings, missing)
    if not usable:
        raise ProviderUnavailable(f"expected one of {_names(settings.order)}, got none: {_reasons(missing)}")
    try:
        session = onnxruntime.InferenceSession(
            graph,
            sess_options=_session_options(settings.cpu),
            providers=[settings.to_onnxruntime(provider, images, max_batch) for provider in usable],
        )
    except (RuntimeError, ValueError, *_ORT_ERRORS) as error:
        raise InvalidGraph(f"ONNX Runtime cannot load the graph: {error}") from error
    running = session.get_providers()
    missing |= {p: "ONNX Runtime did not start it" for p in usable if _ORT_NAME[p] not in running}
    _refuse_missing(settings, missing)
    active = next((p for p in settings.order if p not in missing), Provider.CPU)
    if missing:
        # A machine without a GPU is no fault; a GPU that cannot be used is.
        level = logging.INFO if set(missing.values()) == {_NO_DRIVER} else logging.WARNING
        logger.log(level, "running on %s; not in use: %s", active, _reasons(missing))
    report = ProviderReport(
        active=active,
        requested=settings.order,
        missing=tuple(missing.items()),
        arithmetic=settings.arithmetic(active),
        onnxruntime=onnxruntime.__version__,
    )
    return session, report


def _refuse_missing(settings: ProviderSettings, missing: dict[Provider, str]) -> None:
    required = settings.required
    if required is None:
        return
    if required not in settings.order:
        raise ProviderUnavailable(f"expected {required} in the order {_names(settings.order)}, because it is required")
    if required in missing:
        raise ProviderUnavailable(f"expected the {required} execution provider, got {missing[required]}")


def _missing(providers: tuple[Provider, ...]) -> dict[Provider, str]:
    return {provider: reason for provider in providers if (reason := unavailable_reason(provider)) is not None}


def _session_options(cpu: CPUOptions) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cpu.threads
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(cpu.spinning)))
    options.add_session_config_entry("session.inter_op.allow_spinning", str(int(cpu.spinning)))
    options.log_severity_level = 3  # errors: what falls back is logged above, in one line
    return options


def _names(providers: tuple[Provider, ...]) -> str:
    return ", ".join(providers)


def _reasons(missing: dict[Provider, str]) -> str:
    return "; ".join(f"{provider}: {reason}" for provider, reason in missing.items())
