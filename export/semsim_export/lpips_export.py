"""The export of LPIPS weights to an artifact directory: nothing is written before the graph is checked."""

import hashlib
from pathlib import Path

import numpy as np

from semsim.exceptions import InvalidOption, ParityFailed
from semsim.lpips_artifact import LpipsArtifact, LpipsManifest, LpipsParity
from semsim.lpips_network import LpipsNetwork
from semsim.manifest import GRAPH_FILE, MANIFEST_FILE, GraphSpec
from semsim.providers import Provider, ProviderSettings
from semsim_export.artifact_export import library_versions, write_artifact_files
from semsim_export.graph import OPSET
from semsim_export.lpips_graph import lpips_graph
from semsim_training.reference_metrics.lpips import Lpips

MAX_LPIPS_DIFFERENCE = 1e-4
"""The largest difference of the LPIPS of a pair at which the graph agrees with torch."""

_SIZES = ((31, 31), (32, 32), (47, 64), (96, 80))
_PAIRS = 4
"""The pairs of each size."""


def export_lpips(weights: Path, out: Path) -> LpipsManifest:
    """Write ``out/model.onnx`` and ``out/manifest.json``; an artifact of LPIPS that is there is replaced.

    Args:
        weights: safetensors: torchvision's AlexNet ``features.*`` and LPIPS v0.1's ``heads.lin*``.
        out: the directory to write.

    Raises:
        InvalidCheckpoint: the weights cannot be used.
        InvalidOption: ``out`` is something else than an LPIPS artifact.
        ParityFailed: the graph does not agree with the network; nothing is written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not (out / MANIFEST_FILE).is_file():
            raise InvalidOption(f"expected a new or empty directory or an LPIPS artifact to replace, got {out}")
        LpipsArtifact.load(out)
    network = Lpips(weights)
    graph = lpips_graph(network.weights)
    spec = GraphSpec(sha256=hashlib.sha256(graph).hexdigest(), size_bytes=len(graph), precision="fp32", opset=OPSET)
    manifest = LpipsManifest(
        name="lpips-alexnet",
        version="0.1.0",
        summary="LPIPS v0.1 with AlexNet, of images at their own size, levels turned to -1..1 as published.",
        licence="BSD-2-Clause (LPIPS), BSD-3-Clause (torchvision's AlexNet)",
        source="Zhang et al., CVPR 2018, arXiv 1801.03924; github.com/richzhang/PerceptualSimilarity",
        graph=spec,
        parity=LpipsParity(pairs=1, max_abs_difference=0.0),
        versions=library_versions(),
    )
    parity = _compare(network, LpipsNetwork(LpipsArtifact(manifest, graph), ProviderSettings(order=(Provider.CPU,))))
    if not parity.max_abs_difference <= MAX_LPIPS_DIFFERENCE:
        raise ParityFailed(
            f"expected LPIPS within {MAX_LPIPS_DIFFERENCE} of the network's, got {parity.max_abs_difference:.2e}"
        )
    manifest = manifest.model_copy(update={"parity": parity})
    write_artifact_files(out, {GRAPH_FILE: graph, MANIFEST_FILE: (manifest.model_dump_json(indent=2) + "\n").encode()})
    return manifest


def _compare(network: Lpips, exported: LpipsNetwork) -> LpipsParity:
    rng = np.random.default_rng(0)
    largest = 0.0
    for height, width in _SIZES:
        originals = rng.integers(0, 256, (_PAIRS, height, width, 3), dtype=np.uint8)
        noise = rng.normal(0.0, 1.0, originals.shape) * np.geomspace(4.0, 128.0, _PAIRS).reshape(-1, 1, 1, 1)
        others = np.clip(originals + noise, 0, 255).astype(np.uint8)
        difference = network.distances(originals, others) - exported.distances(originals, others)
        largest = max(largest, float(np.abs(difference).max()))
    return LpipsParity(pairs=len(_SIZES) * _PAIRS, max_abs_difference=largest)
