"""Execution providers: the options that ONNX Runtime gets, and the fallback where a provider is missing."""

import importlib
import logging
from pathlib import Path

import onnxruntime
import pytest
from pydantic import ValidationError

from semsim import Scorer
from semsim.exceptions import ErrorCode, InvalidGraph, ProviderUnavailable
from semsim.manifest import InputSpec
from semsim.providers import (
    CPUOptions,
    CUDAOptions,
    Provider,
    ProviderSettings,
    TensorRTOptions,
    open_session,
    unavailable_reason,
)
from tests.artifacts import DIMENSION, SIDE, manifest_for, small_graph, write_artifact

SIZE = InputSpec(height=SIDE, width=SIDE)
HAS_GPU = unavailable_reason(Provider.CUDA) is None


def test_tensorrt_options_by_name() -> None:
    """fp16, both caches and the optimisation profile for batches 1..max become TensorRT's own options."""
    options = TensorRTOptions(fp16=True, engine_cache_dir=Path("/e"), timing_cache_dir=Path("/t"), device_id=1)
    assert ProviderSettings(tensorrt=options).to_onnxruntime(Provider.TENSORRT, InputSpec(height=64, width=48), 32) == (
        "TensorrtExecutionProvider",
        {
            "device_id": "1",
            "trt_fp16_enable": "True",
            "trt_max_workspace_size": str(2**30),
            "trt_profile_min_shapes": "images:1x64x48x3",
            "trt_profile_opt_shapes": "images:32x64x48x3",
            "trt_profile_max_shapes": "images:32x64x48x3",
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": "/e",
            "trt_timing_cache_enable": "True",
            "trt_timing_cache_path": "/t",
        },
    )


def test_tensorrt_without_caches_names_none() -> None:
    """Without a cache directory TensorRT gets no cache option."""
    assert not [name for name in TensorRTOptions().to_onnxruntime(SIZE, 16) if "cache" in name]
    assert TensorRTOptions(fp16=False).to_onnxruntime(SIZE, 16)["trt_fp16_enable"] == "False"


def test_cuda_options_by_name() -> None:
    """Device, memory limit, TF32 and the search become CUDA's own options."""
    options = CUDAOptions(device_id=2, memory_limit_bytes=2**30, tf32=False, cudnn_search="exhaustive")
    assert ProviderSettings(cuda=options).to_onnxruntime(Provider.CUDA, SIZE, 16) == (
        "CUDAExecutionProvider",
        {
            "device_id": "2",
            "use_tf32": "0",
            "cudnn_conv_algo_search": "EXHAUSTIVE",
            "arena_extend_strategy": "kSameAsRequested",
            "gpu_mem_limit": str(2**30),
        },
    )
    assert "gpu_mem_limit" not in CUDAOptions().to_onnxruntime()


def test_the_report_tells_the_arithmetic_of_single_precision() -> None:
    """Half precision and TensorFloat-32 are told where a provider computes single precision so."""
    settings = ProviderSettings()
    assert [settings.arithmetic(provider) for provider in Provider] == ["fp16", "tf32", "fp32"]
    exact = ProviderSettings(tensorrt=TensorRTOptions(fp16=False), cuda=CUDAOptions(tf32=False))
    assert [exact.arithmetic(provider) for provider in Provider] == ["tf32", "fp32", "fp32"]
    _, report = open_session(small_graph(), SIZE, ProviderSettings(order=(Provider.CPU,)), 8)
    assert report.arithmetic == "fp32"


@pytest.mark.parametrize("options", [{"order": []}, {"order": ["quantum"]}, {"cuda": {"device_id": -1}}, {"gpu": 1}])
def test_settings_are_typed(options: dict[str, object]) -> None:
    """Unknown providers, options and values are refused."""
    with pytest.raises(ValidationError):
        ProviderSettings.model_validate(options)


def test_what_reaches_onnx_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers go to the session in order with their options, and CPU threads in the session options."""
    handed: dict[str, object] = {}
    real = onnxruntime.InferenceSession

    def spy(graph: bytes, sess_options: onnxruntime.SessionOptions, providers: list[object]) -> object:
        handed.update(providers=providers, options=sess_options)
        return real(graph, sess_options=sess_options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr("semsim.providers.unavailable_reason", lambda _: None)
    monkeypatch.setattr("semsim.providers.onnxruntime.InferenceSession", spy)
    settings = ProviderSettings(cpu=CPUOptions(threads=1))
    _, report = open_session(small_graph(), SIZE, settings, 8)
    assert handed["providers"] == [settings.to_onnxruntime(provider, SIZE, 8) for provider in Provider]
    options = handed["options"]
    assert isinstance(options, onnxruntime.SessionOptions)
    assert options.intra_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert report.active is Provider.CPU
    assert dict(report.missing).keys() == {Provider.TENSORRT, Provider.CUDA}


@pytest.mark.skipif(HAS_GPU, reason="needs a machine without a usable GPU")
@pytest.mark.parametrize("provider", [Provider.TENSORRT, Provider.CUDA])
def test_a_missing_provider_falls_back_with_one_line(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    """Where a provider is missing the next one runs, and one log line says why."""
    with caplog.at_level(logging.INFO, logger="semsim"):
        _, report = open_session(small_graph(), SIZE, ProviderSettings(order=(provider, Provider.CPU)), 8)
    assert report.active is Provider.CPU
    assert [name for name, _ in report.missing] == [provider]
    assert [record.getMessage() for record in caplog.records] == [
        f"running on cpu; not in use: {provider}: {report.missing[0][1]}"
    ]


@pytest.mark.skipif(HAS_GPU, reason="needs a machine without a usable GPU")
def test_a_required_provider_that_is_missing_stops_the_start() -> None:
    """A required provider never falls back."""
    for order in ((Provider.CUDA, Provider.CPU), (Provider.CUDA,)):
        with pytest.raises(ProviderUnavailable, match="expected the cuda execution provider") as caught:
            open_session(small_graph(), SIZE, ProviderSettings(order=order, required=Provider.CUDA), 8)
        assert caught.value.code is ErrorCode.PROVIDER_UNAVAILABLE
    with pytest.raises(ProviderUnavailable, match="in the order"):
        open_session(small_graph(), SIZE, ProviderSettings(order=(Provider.CPU,), required=Provider.CUDA), 8)
    with pytest.raises(ProviderUnavailable, match="expected one of cuda, got none"):
        open_session(small_graph(), SIZE, ProviderSettings(order=(Provider.CUDA,)), 8)


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a driver but without cuDNN or TensorRT, the reason names the library; nothing is printed."""
    providers = importlib.import_module("semsim.providers")
    monkeypatch.setattr(providers, "_loads", lambda name: name != "libcudnn.so.9" and "nvinfer" not in name)
    monkeypatch.setattr(providers.onnxruntime, "preload_dlls", lambda: print("noise"))
    missing_library = providers._missing_library.__wrapped__
    assert missing_library(Provider.CUDA) == "cannot load libcudnn.so.9"
    monkeypatch.setattr(providers, "_loads", lambda name: "nvinfer" not in name)
    assert missing_library(Provider.CUDA) is None
    assert missing_library(Provider.TENSORRT) == "cannot load libnvinfer.so.10"


@pytest.mark.skipif(not HAS_GPU, reason="needs a GPU that ONNX Runtime can use")
def test_a_gpu_gives_the_cpus_distances() -> None:
    """On CUDA the bundled model's distances are the CPU's, to half precision."""
    from tests.encoded import picture

    pairs = [(picture(seed=i), picture(seed=i + 1)) for i in range(8)]
    scorers = [
        Scorer(providers=ProviderSettings(order=(provider,), required=provider))
        for provider in (Provider.CUDA, Provider.CPU)
    ]
    gpu, cpu = ([scorer.score(*pair).distance for pair in pairs] for scorer in scorers)
    assert gpu == pytest.approx(cpu, abs=0.02)


def test_a_graph_that_is_not_the_manifests_is_refused(tmp_path: Path) -> None:
    """A fixed batch, another size or dimension, and bytes that are no graph are refused."""
    settings = ProviderSettings(order=(Provider.CPU,))
    fixed = write_artifact(tmp_path / "fixed", small_graph(batch=4))
    size = write_artifact(tmp_path / "size", input=InputSpec(height=SIDE, width=SIDE + 1))
    embedding = manifest_for(small_graph()).embedding.model_copy(update={"dimension": DIMENSION + 1})
    dimension = write_artifact(tmp_path / "dimension", embedding=embedding)
    broken = write_artifact(tmp_path / "broken", b"not a graph")
    for directory in (fixed, size, dimension, broken):
        with pytest.raises(InvalidGraph):
            Scorer(directory, providers=settings)
