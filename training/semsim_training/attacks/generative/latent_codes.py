"""The unknowns of GGL (Li et al., CVPR 2022, arXiv 2203.15696): codes of a trained generator."""

from dataclasses import dataclass

from torch import Tensor

from semsim.exceptions import InvalidUpdate
from semsim_training.attacks.decoder import Decoder
from semsim_training.attacks.generative.image_generator import ImageGenerator
from semsim_training.attacks.initialisation import Initialisation, initial


@dataclass(frozen=True, slots=True, eq=False)
class LatentCodes(Decoder):
    """A code ``(code,)`` for each image, of a generator that never changes."""

    generator: ImageGenerator | None = None
    """``None`` where none was chosen yet; no search can start so."""

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse images that the generator does not make.

        Raises:
            InvalidUpdate: there is no generator, or it makes other images.
        """
        if self.generator is None:
            raise InvalidUpdate("expected a generator of images (semsim attack train-generator makes one), got none")
        made = (3, self.generator.size, self.generator.size)
        if shape[1:] != made:
            raise InvalidUpdate(f"expected a generator of images {shape[1:]}, got one of {made}")

    def start(self, shape: tuple[int, ...], seed: int) -> Tensor:
        """Standard normal codes ``(images, code)``."""
        return initial(Initialisation.NORMAL, (shape[0], self._generator.code), seed)

    def __call__(self, unknowns: Tensor, shape: tuple[int, ...]) -> Tensor:
        """The generator's images of the codes ``(N, images, code)``."""
        images = self._generator.to(unknowns.device, unknowns.dtype)(unknowns.flatten(0, 1))
        separate: Tensor = images.unflatten(0, unknowns.shape[:2])
        return separate

    @property
    def _generator(self) -> ImageGenerator:
        if self.generator is None:
            raise ValueError("expected a generator, got none")
        return self.generator
