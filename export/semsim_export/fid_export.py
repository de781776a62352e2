"""The export of a network of features for FID to an artifact directory: nothing is written before it is checked."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from semsim.exceptions import InvalidCheckpoint, InvalidOption, ParityFailed
from semsim.fid.fid_artifact import FeatureParity, FidArtifact, FidManifest
from semsim.fid.fid_network import FidNetwork
from semsim.images import ResizeFilter, resize_batch
from semsim.manifest import GRAPH_FILE, MANIFEST_FILE, GraphSpec, InputSpec
from semsim.providers import Provider, ProviderSettings
from semsim_export.artifact_export import library_versions, write_artifact_files
from semsim_export.graph import OPSET, trace
from semsim_training.reference_metrics.inception import INCEPTION_SIDE, InceptionFeatures, InceptionWeights

MAX_FEATURE_DIFFERENCE = 1e-4
"""The largest difference of a feature, as a share of the largest one, at which the graph agrees with torch."""

_PICTURES = 6
_SOURCES = {
    InceptionWeights.TORCHVISION: "torchvision's inception_v3, ImageNet; BSD-3-Clause",
    InceptionWeights.TENSORFLOW: "TensorFlow's Inception of 2015-12-05, converted by pytorch-fid; Apache-2.0",
}


def export_inception(weights: Path, out: Path) -> FidManifest:
    """Write the FID artifact of Inception-v3's weights: torchvision's state dict, or that of pytorch-fid.

    Raises:
        InvalidCheckpoint: the weights cannot be used.
        InvalidOption: ``out`` is something else than an FID artifact.
        ParityFailed: the graph does not agree with the network; nothing is written.
    """
    _check_place(out)
    network = InceptionFeatures.read(weights)
    source, _, licence = _SOURCES[network.weights].rpartition("; ")
    size = InputSpec(height=INCEPTION_SIDE, width=INCEPTION_SIDE, filter=ResizeFilter.BILINEAR)
    return export_features(network, size, out, f"inception-v3-{network.weights}", source, licence)


def export_features(
    network: nn.Module, size: InputSpec, out: Path, name: str, source: str, licence: str
) -> FidManifest:
    """Write ``out/model.onnx`` and ``out/manifest.json``; an artifact of FID that is there is replaced.

    Args:
        network: takes images uint8 ``(N, H, W, 3)`` and gives features float32 ``(N, D)``.
        size: the size of the images that it takes, and the filter that stretches others to it.
        out: the directory to write.
        name: the name of the artifact; values of FID by artifacts of other names are other numbers.
        source: the weights, in words.
        licence: the licence of the weights.

    Raises:
        InvalidCheckpoint: the network gives the same features of all pictures, or some that are not finite.
        InvalidOption: ``out`` is something else than an FID artifact.
        ParityFailed: the graph does not agree with the network; nothing is written.
    """
    _check_place(out)
    pictures = _pictures(size)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pictures)).numpy()
    if not np.isfinite(expected).all() or not expected.std(axis=0).any():
        raise InvalidCheckpoint("expected finite features that differ between pictures, got none that do")
    graph = trace(network, size).SerializeToString()
    manifest = FidManifest(
        metric="fid",
        name=name,
        version="0.1.0",
        summary=f"Features of images stretched to {size.width}x{size.height} pixels, for FID between two sets.",
        licence=licence,
        source=source,
        input=size,
        features=expected.shape[1],
        graph=GraphSpec(sha256=hashlib.sha256(graph).hexdigest(), size_bytes=len(graph), precision="fp32", opset=OPSET),
        parity=FeatureParity(images=len(pictures), max_difference=0.0),
        versions=library_versions(),
    )
    exported = FidNetwork(FidArtifact(manifest, graph), ProviderSettings(order=(Provider.CPU,)))
    difference = float(np.abs(exported.features(pictures) - expected).max() / np.abs(expected).max())
    if not difference <= MAX_FEATURE_DIFFERENCE:
        raise ParityFailed(
            f"expected features within {MAX_FEATURE_DIFFERENCE:g} of the network's, as a share of the largest, got "
            f"{difference:.2e}"
        )
    parity = FeatureParity(images=len(pictures), max_difference=difference)
    manifest = manifest.model_copy(update={"parity": parity})
    write_artifact_files(out, {GRAPH_FILE: graph, MANIFEST_FILE: (manifest.model_dump_json(indent=2) + "\n").encode()})
    return manifest


def _check_place(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not (out / MANIFEST_FILE).is_file():
            raise InvalidOption(f"expected a new or empty directory or an FID artifact to replace, got {out}")
        FidArtifact.load(out)


def _pictures(size: InputSpec) -> NDArray[np.uint8]:
    """Pictures from coarse to fine, with all levels."""
    rng = np.random.default_rng(0)
    sides = [2 ** (picture + 1) for picture in range(_PICTURES)]
    return resize_batch(
        [rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for side in sides], size.height, size.width, size.filter
    )
