"""Execution providers: which ones to try, with which options, and which one ran.

ONNX Runtime lists TensorRT and CUDA as available on machines that have neither, and falls back without an
error, so availability is asked of the provider's own library and the outcome is read from the session.
"""

import ctypes
import logging
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

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
_LIBRARY = {
    Provider.TENSORRT: "libonnxruntime_providers_tensorrt.so",
    Provider.CUDA: "libonnxruntime_providers_cuda.so",
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
_NO_DRIVER = "no NVIDIA driver (libcuda.so.1)"


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TensorRTOptions(_Options):
    """How TensorRT builds its engine. Building takes minutes, so give it cache directories."""

    device_id: Annotated[int, Field(ge=0)] = 0
    fp16: bool = True
    engine_cache_dir: Path | None = None
    """Keeps built engines; they fit one GPU model and one TensorRT version."""
    timing_cache_dir: Path | None = None
    """Keeps kernel timings, which shorten a rebuild."""
    max_batch: Annotated[int, Field(ge=1)] = 64
    """The optimisation profile covers batches of 1 to this many images."""
    workspace_bytes: Annotated[int, Field(ge=2**20)] = 2**30

    def to_onnxruntime(self, images: InputSpec) -> dict[str, str]:
        """The provider options as ONNX Runtime reads them, for images of that size."""

        def shape(batch: int) -> str:
            return f"{INPUT_NAME}:{batch}x{images.height}x{images.width}x3"

        options = {
            "device_id": str(self.device_id),
            "trt_fp16_enable": str(self.fp16),
            "trt_max_workspace_size": str(self.workspace_bytes),
            "trt_profile_min_shapes": shape(1),
            "trt_profile_opt_shapes": shape(self.max_batch),
            "trt_profile_max_shapes": shape(self.max_batch),
        }
        if self.engine_cache_dir is not None:
            options |= {"trt_engine_cache_enable": "True", "trt_engine_cache_path": str(self.engine_cache_dir)}
        if self.timing_cache_dir is not None:
            options |= {"trt_timing_cache_enable": "True", "trt_timing_cache_path": str(self.timing_cache_dir)}
        return options


class CUDAOptions(_Options):
    """How CUDA runs the graph."""

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
    """How the CPU runs the graph."""

    threads: Annotated[int, Field(ge=0)] = 0
    """Threads inside one operator; 0 = one a core."""
    spinning: bool = False
    """Whether idle threads spin: a little faster alone, half as fast on a busy machine."""


class ProviderSettings(_Options):
    """Which providers to try, in which order, and how."""

    order: Annotated[tuple[Provider, ...], Field(min_length=1)] = (Provider.TENSORRT, Provider.CUDA, Provider.CPU)
    required: Provider | None = None
    """A provider without which loading fails instead of falling back."""
    tensorrt: TensorRTOptions = TensorRTOptions()
    cuda: CUDAOptions = CUDAOptions()
    cpu: CPUOptions = CPUOptions()

    def to_onnxruntime(self, provider: Provider, images: InputSpec) -> tuple[str, dict[str, str]]:
        """One entry of the ``providers`` argument of ``onnxruntime.InferenceSession``."""
        match provider:
            case Provider.TENSORRT:
                return _ORT_NAME[provider], self.tensorrt.to_onnxruntime(images)
            case Provider.CUDA:
                return _ORT_NAME[provider], self.cuda.to_onnxruntime()
            case Provider.CPU:
                return _ORT_NAME[provider], {}


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """What was asked of a machine, and what it ran."""

    active: Provider
    """The provider that runs the graph (a node it lacks goes to the next in the order)."""
    requested: tuple[Provider, ...]
    missing: tuple[tuple[Provider, str], ...]
    """Requested providers that are not in use, each with the reason."""
    onnxruntime: str
    """ONNX Runtime's version."""


def unavailable_reason(provider: Provider) -> str | None:
    """Why ``provider`` cannot run here, or None when it can."""
    if _ORT_NAME[provider] not in onnxruntime.get_available_providers():
        return "not in this build of ONNX Runtime"
    if provider is Provider.CPU:
        return None
    return _load_error(provider)


@cache
def _load_error(provider: Provider) -> str | None:
    """Load the provider's library, whose error names the missing piece, such as ``libcudnn.so.9``."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return _NO_DRIVER
    # Finds CUDA and cuDNN in the nvidia-* wheels, where they are installed that way.
    onnxruntime.preload_dlls()
    libraries = Path(onnxruntime.__file__).parent / "capi"
    try:
        ctypes.CDLL(str(libraries / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(libraries / _LIBRARY[provider]))
    except OSError as error:
        return str(error)
    return None


def open_session(
    graph: bytes, images: InputSpec, settings: ProviderSettings
) -> tuple[onnxruntime.InferenceSession, ProviderReport]:
    """Open ``graph`` on the first usable provider of ``settings.order``.

    Every provider that is passed over is logged in one line with its reason.

    Raises:
        ProviderUnavailable: the required provider, or every provider in the order, is unusable.
        InvalidGraph: ONNX Runtime cannot load the graph.
    """
    missing = {p: reason for p in settings.order if (reason := unavailable_reason(p)) is not None}
    usable = [provider for provider in settings.order if provider not in missing]
    _check_required(settings, missing)
    if not usable:
        raise ProviderUnavailable(f"expected one of {_names(settings.order)}, got none: {_reasons(missing)}")
    try:
        session = onnxruntime.InferenceSession(
            graph,
            sess_options=_session_options(settings.cpu),
            providers=[settings.to_onnxruntime(provider, images) for provider in usable],
        )
    except (RuntimeError, ValueError, *_ORT_ERRORS) as error:
        raise InvalidGraph(f"ONNX Runtime cannot load the graph: {error}") from error
    running = session.get_providers()
    missing |= {p: "ONNX Runtime did not start it" for p in usable if _ORT_NAME[p] not in running}
    _check_required(settings, missing)
    active = next((p for p in settings.order if p not in missing), Provider.CPU)
    if missing:
        # A machine without a GPU is no fault; a GPU that cannot be used is.
        level = logging.INFO if set(missing.values()) == {_NO_DRIVER} else logging.WARNING
        logger.log(level, "running on %s; not in use: %s", active, _reasons(missing))
    report = ProviderReport(
        active=active,
        requested=settings.order,
        missing=tuple(missing.items()),
        onnxruntime=onnxruntime.__version__,
    )
    return session, report


def _check_required(settings: ProviderSettings, missing: dict[Provider, str]) -> None:
    required = settings.required
    if required is None:
        return
    if required not in settings.order:
        raise ProviderUnavailable(f"expected {required} in the order {_names(settings.order)}, because it is required")
    if required in missing:
        raise ProviderUnavailable(f"expected the {required} execution provider, got {missing[required]}")


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
