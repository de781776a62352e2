"""The two sides that are timed, each in a process of its own, so that its memory is its own."""

import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PairPaths = list[tuple[Path, Path]]

_MODELS = Path(__file__).parents[2] / "models"
ARTIFACT = _MODELS / "imagenet-baseline"
DESCRIPTION = _MODELS / "descriptions" / "imagenet-baseline.json"


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of one side, once."""

    seconds: float
    distances: list[float]
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds by stage of scoring; empty for the peer."""
    peak_bytes: int = field(default_factory=lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    """Peak resident memory of the process, imports and model included."""


def pair_paths(folder: Path, reconstructions: int) -> PairPaths:
    """The pairs of ``folder``: each original with its first ``reconstructions`` reconstructions."""
    return [
        (original, folder / "reconstructions" / f"{original.stem}-{i}.png")
        for original in sorted((folder / "originals").iterdir())
        for i in range(reconstructions)
    ]


def scorer(pairs: PairPaths, threads: int, weights: Path) -> Measurement:
    """The library, which scores all pairs in one call with the artifact of the same ``weights``."""
    from semsim import PairScore, Scorer
    from semsim.providers import CPUOptions, Provider, ProviderSettings
    from semsim.stages import StageClock

    metric = Scorer(ARTIFACT, providers=ProviderSettings(order=(Provider.CPU,), cpu=CPUOptions(threads=threads)))
    metric.score_pairs(pairs[:32])
    clock = StageClock()
    start = time.perf_counter()
    results = metric.score_pairs(pairs, clock=clock)
    seconds = time.perf_counter() - start
    distances = [result.distance for result in results if isinstance(result, PairScore)]
    return Measurement(seconds, distances, {stage.value: spent for stage, spent in clock.seconds.items()})


def torch_loop(pairs: PairPaths, threads: int, weights: Path) -> Measurement:
    """The peer, as the paper's code works: one pair at a time, an image a forward pass, scikit-image's metrics."""
    import numpy as np
    import torch
    from PIL import Image
    from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

    from semsim_training.checkpoint import CheckpointDescription, load_network

    torch.set_num_threads(threads)
    description = CheckpointDescription.read(DESCRIPTION)
    network = load_network(weights, description)
    size = (description.input.width, description.input.height)

    def embed(image: Image.Image) -> Any:
        return network(torch.from_numpy(np.array(image.resize(size, Image.Resampling.BICUBIC)))[None])

    @torch.inference_mode()
    def run(some: PairPaths) -> list[float]:
        distances = []
        for paths in some:
            original, reconstruction = (Image.open(path).convert("RGB") for path in paths)
            distances.append(float(torch.linalg.vector_norm(embed(original) - embed(reconstruction))))
            x, y = np.asarray(original), np.asarray(reconstruction)
            mean_squared_error(x, y)
            peak_signal_noise_ratio(x, y, data_range=255)
            structural_similarity(x, y, data_range=255, channel_axis=-1)
        return distances

    run(pairs[:8])
    start = time.perf_counter()
    distances = run(pairs)
    return Measurement(time.perf_counter() - start, distances)
