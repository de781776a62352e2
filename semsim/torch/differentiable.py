"""The metric as a module of torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from semsim.artifact import Artifact
from semsim.exceptions import InvalidTensor, NotCalibrated
from semsim.torch.calibration_curve import leakage_of
from semsim.torch.graph_network import GraphNetwork
from semsim.torch.level_resize import image_levels, resize_levels


class SemSim(nn.Module):
    """SemSim as a differentiable module, of the weights of a model artifact.

    Its embeddings, distances and leakages are those of :class:`semsim.scorer.Scorer` to 1e-5; of an artifact that
    computes in half precision (``fp16``) to the rounding of that, since torch computes it in single. It takes RGB
    images ``(N, 3, H, W)`` of any size and on any device: uint8, or floats of any precision in 0..1, which are rounded
    to 8-bit levels as the scorer sees them. Gradients flow to float images, through the roundings as if they were not
    there. Tensors come back on the device of the module, in single precision, also under ``torch.autocast`` and after
    ``half()``, or in double precision after ``double()``. A GPU gives the scorer's digits where
    ``torch.backends.cudnn.allow_tf32`` is False.

    The module has no parameters and nothing in its ``state_dict``: an optimiser of a larger module leaves it as it is.

    It scores every pair, also the one of which nothing can be told, such as a blank reconstruction: its low leakage
    then says nothing. :class:`semsim.torch.LeakageMetric` and the scorer tell those apart.

    Args:
        artifact: the directory of the artifact, or None for the bundled one. An int8 graph has no gradient.

    Raises:
        ArtifactError: the artifact is missing or invalid, or its graph has operators through which no gradient flows.
    """

    def __init__(self, artifact: Path | str | None = None) -> None:
        super().__init__()
        loaded = Artifact.load(artifact)
        self.manifest = loaded.manifest
        self.network = GraphNetwork(loaded.graph)
        self.register_buffer("_home", torch.zeros(0), persistent=False)
        """It moves with the module, and so tells where it is and in which precision it computes."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move the module, but keep its weights out of half precision, in which distances would be others."""
        exact = dict(self.named_buffers())
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, weight in exact.items():
            if (moved := self.get_buffer(name)).dtype in (torch.float16, torch.bfloat16):
                owner, _, leaf = name.rpartition(".")
                setattr(self.get_submodule(owner), leaf, weight.to(moved.device))
        return self

    def forward(self, originals: Tensor, reconstructions: Tensor) -> Tensor:
        """The calibrated leakage ``(N,)`` in [0, 1] of N pairs; higher = more leakage.

        Its gradient is that of :func:`semsim.torch.calibration_curve.leakage_of`, which is nowhere 0 for a curve that
        falls. As a loss, :meth:`distance` is the smoother one.

        Raises:
            NotCalibrated: the artifact carries no calibration.
            InvalidTensor: as :meth:`distance`.
        """
        return self.leakage(self.distance(originals, reconstructions))

    def distance(self, originals: Tensor, reconstructions: Tensor) -> Tensor:
        """The L2 distance ``(N,)`` of the embeddings of N pairs; 0 = same image, lower = more leakage.

        Originals and reconstructions may be of two sizes. The gradient at a distance of 0 is 0.

        Raises:
            InvalidTensor: there are not as many originals as reconstructions, or as :meth:`embed`.
        """
        if len(originals) != len(reconstructions):
            raise InvalidTensor(
                f"expected as many reconstructions as originals, got {len(reconstructions)}, {len(originals)}"
            )
        distances: Tensor = torch.linalg.vector_norm(self.embed(originals) - self.embed(reconstructions), dim=1)
        return distances

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings ``(N, D)`` of N images ``(N, 3, H, W)``, uint8 or floats in 0..1.

        Raises:
            InvalidTensor: the shape or the type is another one, or a value is not finite or outside 0..1.
        """
        home = self.get_buffer("_home")
        spec = self.manifest.input
        with torch.autocast(home.device.type, enabled=False):
            levels = image_levels(images.to(home.device))
            levels = resize_levels(levels, spec.height, spec.width, spec.filter)
            embeddings: Tensor = self.network(levels.permute(0, 2, 3, 1).to(home.dtype).contiguous())
        return embeddings

    def leakage(self, distances: Tensor) -> Tensor:
        """The calibrated leakage ``(N,)`` in [0, 1] of distances ``(N,)``.

        Raises:
            NotCalibrated: the artifact carries no calibration.
        """
        if self.manifest.calibration is None:
            raise NotCalibrated(
                f"expected a calibrated model for leakage, got {self.manifest.name} {self.manifest.version}, which "
                "carries no calibration: its distance can be used"
            )
        return leakage_of(distances, self.manifest.calibration)
