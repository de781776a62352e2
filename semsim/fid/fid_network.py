"""The features of images for FID, by the network of an FID artifact, run by ONNX Runtime."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from semsim.embedder import Embedder
from semsim.fid.fid_artifact import FidArtifact
from semsim.images import RGBImage, resize, resize_batch
from semsim.providers import ProviderReport, ProviderSettings

FID_BATCH = 16
"""The images of a run of the network."""


class FidNetwork:
    """Gives the features of images. It runs on CUDA or the CPU: TensorRT would compute in half precision.

    Raises:
        InvalidGraph: the graph cannot be loaded, or takes or gives something else.
        ProviderUnavailable: a required execution provider is not usable here.
    """

    name: str
    """The name and the version of the artifact, by which values of FID may be compared."""
    provider: ProviderReport
    """The execution provider that runs the graph."""

    def __init__(self, artifact: FidArtifact, settings: ProviderSettings) -> None:
        manifest = artifact.manifest
        self.artifact = artifact
        self.name = f"{manifest.name} {manifest.version}"
        self._embedder = Embedder(
            artifact.graph, manifest.input, manifest.features, settings.without_tensorrt(), FID_BATCH
        )
        self.provider = self._embedder.provider

    def stretched(self, image: RGBImage) -> RGBImage:
        """The image at the size that the network takes, shrunk with anti-aliasing: it is what the features are of."""
        size = self.artifact.manifest.input
        return resize(image, size.height, size.width, size.filter)

    def features(self, images: Sequence[RGBImage] | NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features float32 ``(N, D)`` of N images uint8 ``(H, W, 3)`` of any sizes.

        Raises:
            InvalidGraph: the network gave NaN or infinity.
        """
        size = self.artifact.manifest.input
        batches = [np.empty((0, self.artifact.manifest.features), dtype=np.float32)]
        for start in range(0, len(images), FID_BATCH):
            batch = resize_batch(list(images[start : start + FID_BATCH]), size.height, size.width, size.filter)
            batches.append(self._embedder.embed(batch))
        return np.concatenate(batches)
