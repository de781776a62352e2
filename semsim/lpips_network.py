"""LPIPS v0.1 with AlexNet, run by ONNX Runtime, of images at their own size, as published.

It follows Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018.
"""

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidGraph
from semsim.lpips_artifact import LpipsArtifact
from semsim.manifest import InputSpec
from semsim.providers import ProviderReport, ProviderSettings, open_session

LPIPS_INPUTS = ("originals", "reconstructions")
LPIPS_OUTPUT = "lpips"
SMALLEST_LPIPS_SIDE = 31
"""The fewest pixels of a side: AlexNet's second pooling has nothing left of a smaller image."""
MOST_LPIPS_PIXELS = 2**20
"""The most pixels of an image: AlexNet takes a second or so for as many, and 100 MB of memory."""


class LpipsNetwork:
    """Runs the graph of an LPIPS artifact. Threads may share it.

    It runs on the first usable provider of ``settings``, TensorRT left out, which would build an engine, in minutes,
    for each size of images.

    Raises:
        InvalidGraph: the graph cannot be loaded, or takes or gives something else.
        ProviderUnavailable: a required execution provider is not usable here.
    """

    provider: ProviderReport
    """The execution provider that runs the graph."""

    def __init__(self, artifact: LpipsArtifact, settings: ProviderSettings) -> None:
        any_size = InputSpec(height=SMALLEST_LPIPS_SIDE, width=SMALLEST_LPIPS_SIDE)  # TensorRT alone reads it
        self.artifact = artifact
        self._session, self.provider = open_session(artifact.graph, any_size, settings.without_tensorrt(), 1)
        inputs = {node.name: node.type for node in self._session.get_inputs()}
        outputs = {node.name: node.type for node in self._session.get_outputs()}
        if inputs != dict.fromkeys(LPIPS_INPUTS, "tensor(uint8)") or outputs != {LPIPS_OUTPUT: "tensor(float)"}:
            raise InvalidGraph(
                f"expected uint8 inputs {', '.join(LPIPS_INPUTS)} and a float output {LPIPS_OUTPUT}, got {inputs} and "
                f"{outputs}"
            )

    @property
    def digest(self) -> str:
        """The hash of the graph: two networks of one hash give the same numbers."""
        return self.artifact.manifest.graph.sha256

    def takes(self, height: int, width: int) -> bool:
        """True for a size, in pixels, of which there is an LPIPS: not too small, and not too much work."""
        return min(height, width) >= SMALLEST_LPIPS_SIDE and height * width <= MOST_LPIPS_PIXELS

    def distances(self, originals: NDArray[np.uint8], reconstructions: NDArray[np.uint8]) -> NDArray[np.float64]:
        """LPIPS of each pair of two batches uint8 ``(N, H, W, 3)`` of one size, ``(N,)``, >= 0; 0 = equal.

        Raises:
            InvalidGraph: the network gave no finite number >= 0 for each pair.
        """
        feed = dict(zip(LPIPS_INPUTS, (originals, reconstructions), strict=True))
        distances: NDArray[np.float64] = self._session.run([LPIPS_OUTPUT], feed)[0].astype(np.float64)
        if distances.shape != (len(originals),):  # one number would be taken for that of each pair
            raise InvalidGraph(f"expected an LPIPS for each of {len(originals)} pairs, got shape {distances.shape}")
        if not (np.isfinite(distances) & (distances >= 0)).all():
            raise InvalidGraph("expected finite values of LPIPS >= 0, got NaN, infinity or less than 0")
        return distances
