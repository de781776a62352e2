"""The graph of the bundled model on one execution provider: its agreement with the CPU, and its speed at each batch."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy.stats import spearmanr

from semsim.artifact import Artifact
from semsim.embedder import Embedder
from semsim.exceptions import ProviderUnavailable
from semsim.providers import INPUT_NAME, OUTPUT_NAME, Provider, ProviderSettings, unavailable_reason
from semsim_export.lowered_graph import LowerPrecision, lowered

BATCHES = (1, 4, 16, 64, 256, 1024)
_MOST_SECONDS = 0.4
_CUDA_GRAPHS = {Provider.CUDA: "enable_cuda_graph", Provider.TENSORRT: "trt_cuda_graph_enable"}

_PARITY_BATCH = 16

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class KnownDistances:
    """N pairs with the distances that the CPU gives them."""

    originals: NDArray[np.uint8]
    """Originals ``(N, H, W, 3)`` of the input size; N is a multiple of 16."""
    reconstructions: NDArray[np.uint8]
    """Their reconstructions, in the same shape."""
    distances: NDArray[np.float64]
    """The distances ``(N,)``."""

    def save(self, path: Path) -> None:
        """Write them where another process can read them."""
        np.savez(path, originals=self.originals, reconstructions=self.reconstructions, distances=self.distances)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote."""
        with np.load(path) as arrays:
            return cls(**arrays)


@dataclass(frozen=True, slots=True)
class SessionVariant:
    """One way to run the graph."""

    title: str
    settings: ProviderSettings
    half: bool = False
    """True for convolutions in half precision, which the graph itself then asks for."""
    cuda_graphs: bool = False
    """True where one launch replays all kernels of a batch size."""


@dataclass(frozen=True, slots=True)
class DistanceAgreement:
    """The distances of a variant beside those of the CPU."""

    spearman: float
    difference: float
    """The largest difference of a distance."""
    changed: float
    """The share of pairs whose verdict is another."""


@dataclass(frozen=True, slots=True)
class ProviderRate:
    """Images a second at one batch."""

    batch: int
    bound: float
    """Images a second of ``run_with_iobinding``: images and embeddings stay in the device's memory."""
    library: float | None
    """Images a second of the library, which copies both; ``None`` for CUDA graphs, which the library does not use."""


def measure_variant(variant: SessionVariant, known: Path, results: Connection) -> None:
    """Send the agreement with a file's distances, then a rate at each batch; where something fails, the reason as text.

    A process of its own should run it, which may be ended: an engine of TensorRT takes minutes to build.
    """
    try:
        results.send(agreement_of(variant, KnownDistances.load(known)))
        for batch in BATCHES:
            results.send(rate_of(variant, batch))
    except Exception as error:  # noqa: BLE001  # the reason belongs into the report, whatever it is
        results.send(f"{type(error).__name__}: {error}".splitlines()[0][:200])
    results.close()


def _bound(variant: SessionVariant, batch: int) -> tuple[Embed, Callable[[], object]]:
    """A function that embeds images of this number, and one that runs again on what lies in the device's memory."""
    artifact, provider = Artifact.load(), variant.settings.order[0]
    if (reason := unavailable_reason(provider)) is not None:
        raise ProviderUnavailable(f"expected the {provider} execution provider, got {reason}")
    size, dimension = artifact.manifest.input, artifact.manifest.embedding.dimension
    name, chosen = variant.settings.to_onnxruntime(provider, size, batch)
    if variant.cuda_graphs and provider in _CUDA_GRAPHS:
        chosen[_CUDA_GRAPHS[provider]] = "1"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = variant.settings.cpu.threads, 3
    session = onnxruntime.InferenceSession(_graph(variant, artifact), options, providers=[(name, chosen)])
    if session.get_providers()[0] != name:
        raise ProviderUnavailable(f"expected {name}, got {', '.join(session.get_providers())}")
    device = "cpu" if provider is Provider.CPU else "cuda"
    ready = np.zeros((batch, size.height, size.width, 3), dtype=np.uint8)
    images = onnxruntime.OrtValue.ortvalue_from_numpy(ready, device, 0)
    embeddings = onnxruntime.OrtValue.ortvalue_from_shape_and_type([batch, dimension], np.float32, device, 0)
    binding = session.io_binding()
    binding.bind_ortvalue_input(INPUT_NAME, images)
    binding.bind_ortvalue_output(OUTPUT_NAME, embeddings)

    def again() -> object:
        return session.run_with_iobinding(binding)

    def embed(some: NDArray[np.uint8]) -> NDArray[np.float32]:
        images.update_inplace(some)
        again()
        return np.array(embeddings.numpy())

    return embed, again


def _graph(variant: SessionVariant, artifact: Artifact) -> bytes:
    if not variant.half:
        return artifact.graph
    return lowered(artifact.graph, LowerPrecision.FP16, np.empty(0, dtype=np.uint8))


def agreement_of(variant: SessionVariant, known: KnownDistances) -> DistanceAgreement:
    """The agreement of a variant's distances with known ones.

    Raises:
        ProviderUnavailable: its execution provider does not run here.
    """
    manifest = Artifact.load().manifest
    embed, _ = _bound(variant, _PARITY_BATCH)
    both = np.concatenate([known.originals, known.reconstructions])
    parts = both.reshape(-1, _PARITY_BATCH, *both.shape[1:])
    originals, reconstructions = np.split(np.concatenate([embed(part) for part in parts]).astype(np.float64), 2)
    distances = np.linalg.norm(originals - reconstructions, axis=1)
    changed = math.nan
    if manifest.calibration is not None and manifest.threshold is not None:
        leakages = (manifest.calibration.leakage(some) for some in (distances, known.distances))
        first, second = (leakage >= manifest.threshold for leakage in leakages)
        changed = float((first != second).mean())
    spearman = float(spearmanr(distances, known.distances).statistic)
    return DistanceAgreement(spearman, float(np.abs(distances - known.distances).max()), changed)


def rate_of(variant: SessionVariant, batch: int) -> ProviderRate:
    """The images a second of a variant at one batch, with the error of :func:`agreement_of`."""
    artifact = Artifact.load()
    size, dimension = artifact.manifest.input, artifact.manifest.embedding.dimension
    images = np.random.default_rng(0).integers(0, 256, (batch, size.height, size.width, 3), dtype=np.uint8)
    embed, again = _bound(variant, batch)
    embed(images)
    if variant.cuda_graphs:
        return ProviderRate(batch, _images_a_second(again, batch), None)
    library = Embedder(_graph(variant, artifact), size, dimension, variant.settings, batch)
    library.embed(images)
    return ProviderRate(batch, _images_a_second(again, batch), _images_a_second(lambda: library.embed(images), batch))


def _images_a_second(run: Callable[[], object], batch: int) -> float:
    start, count = time.perf_counter(), 0
    while count < 3 or time.perf_counter() - start < _MOST_SECONDS:
        run()
        count += 1
    return count * batch / (time.perf_counter() - start)
