"""The export of a checkpoint to an artifact directory: nothing is written before the graph is checked."""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from semsim.bulk.matching import find_images
from semsim.embedder import Embedder
from semsim.exceptions import InvalidOption
from semsim.images import decode, resize_batch
from semsim.manifest import (
    CONTROLS_FILE,
    GRAPH_FILE,
    MANIFEST_FILE,
    EmbeddingSpec,
    GraphSpec,
    InputSpec,
    Manifest,
    ModelDescription,
    Parity,
    Precision,
)
from semsim.progress import Progress, silent
from semsim.providers import ProviderReport, ProviderSettings
from semsim_export.graph import OPSET, to_onnx
from semsim_export.parity import PairEmbeddings, check, check_lengths, compare, embed_with_torch
from semsim_export.parity_pairs import degraded_pairs
from semsim_training.checkpoint import CheckpointDescription, load_network

MIN_IMAGES = 32
_STEPS = 3
_LIBRARIES = ("torch", "timm", "onnx", "onnxscript", "numpy", "pillow")


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The options of an export."""

    precision: Precision = "fp16-weights"
    images: int = 512
    """The number of real images: half calibrate int8, half compare the graph with the network."""
    seed: int = 0
    batch_size: int = 16


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished export: the manifest that was written, and the provider that ran the graph for its check."""

    manifest: Manifest
    provider: ProviderReport


def export_artifact(
    checkpoint: Path,
    description: CheckpointDescription,
    image_directory: Path,
    out: Path,
    options: ExportOptions,
    *,
    settings: ProviderSettings | None = None,
    progress: Progress = silent,
) -> Exported:
    """Write ``out/model.onnx`` and ``out/manifest.json``; an artifact that is there is replaced at the end.

    Its controls are removed, since another graph embedded them; :func:`semsim_export.control_export.export_controls`
    makes new ones.

    Raises:
        InvalidCheckpoint: the weights or their description cannot be used.
        InvalidOption: there are too few images, or ``out`` is something else than an artifact.
        ParityFailed: the graph does not agree with the network; nothing is written.
    """
    if out.exists() and not (out / MANIFEST_FILE).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise InvalidOption(f"expected a new or empty directory or an artifact to replace, got {out}")
    progress("loading images and weights", 0, _STEPS)
    images = _sample(image_directory, description.input, options)
    half = len(images) // 2
    network = load_network(checkpoint, description)
    originals, counterparts = degraded_pairs(images[half:], options.seed)
    reference = PairEmbeddings(embed_with_torch(network, originals), embed_with_torch(network, counterparts))

    progress(f"exporting {options.precision}", 1, _STEPS)
    ranges = np.concatenate([images[:half], degraded_pairs(images[:half], options.seed + 1)[1]])
    graph = to_onnx(network, description.input, options.precision, ranges)

    progress("comparing with the network", 2, _STEPS)
    dimension = reference.originals.shape[1]
    runner = Embedder(graph, description.input, dimension, settings or ProviderSettings(), options.batch_size)
    candidate = PairEmbeddings(runner.embed(originals), runner.embed(counterparts))
    parity = compare(reference, candidate, runner.provider.active)
    check(parity, options.precision)
    check_lengths(reference, candidate)
    manifest = _manifest(description, graph, options.precision, dimension, parity)
    written = manifest.model_dump_json(indent=2) + "\n"
    write_artifact_files(out, {GRAPH_FILE: graph, MANIFEST_FILE: written.encode()})
    return Exported(manifest=manifest, provider=runner.provider)


def _sample(directory: Path, size: InputSpec, options: ExportOptions) -> NDArray[np.uint8]:
    paths = find_images(directory)
    if len(paths) < MIN_IMAGES:
        raise InvalidOption(f"expected at least {MIN_IMAGES} images below {directory}, got {len(paths)}")
    chosen = np.random.default_rng(options.seed).permutation(len(paths))[: options.images]
    decoded = [decode(directory / paths[i]) for i in chosen]
    return resize_batch(decoded, size.height, size.width, size.filter)


def _manifest(
    description: CheckpointDescription, graph: bytes, precision: Precision, dimension: int, parity: Parity
) -> Manifest:
    return Manifest(
        **{name: getattr(description, name) for name in ModelDescription.model_fields},
        graph=GraphSpec(
            sha256=hashlib.sha256(graph).hexdigest(), size_bytes=len(graph), precision=precision, opset=OPSET
        ),
        embedding=EmbeddingSpec(dimension=dimension, normalized=description.normalize_embedding),
        parity=parity,
        versions=library_versions(),
    )


def library_versions() -> dict[str, str]:
    """The versions of the libraries that make an export."""
    return {name: version(name) for name in _LIBRARIES} | {"onnxruntime": onnxruntime.__version__}


def write_artifact_files(out: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of an artifact into ``out``, all of them or none; controls of another graph are removed."""
    writing = out.with_name(out.name + ".writing")
    shutil.rmtree(writing, ignore_errors=True)
    writing.mkdir(parents=True)
    for name, content in files.items():
        (writing / name).write_bytes(content)
    out.mkdir(parents=True, exist_ok=True)
    for name in files:  # files beside them, such as a model card, stay
        (writing / name).replace(out / name)
    (out / CONTROLS_FILE).unlink(missing_ok=True)  # those of the graph that was replaced
    writing.rmdir()
