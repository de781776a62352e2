"""Unknowns of a search that are no pixels."""

from abc import ABC, abstractmethod

from torch import Tensor


class Decoder(ABC):
    """Makes the candidates' images of what a search moves; no client sees another.

    The ``shape`` that its methods take is that of one client's images, ``(images, C, H, W)``.
    """

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse images that cannot be made; here none.

        Raises:
            InvalidUpdate: the images that can be made, and those that were asked for.
        """
        return

    @abstractmethod
    def start(self, shape: tuple[int, ...], seed: int) -> Tensor:
        """The first unknowns of one client, in float64: a function of the seed alone."""

    @abstractmethod
    def __call__(self, unknowns: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Images ``(N, *shape)`` from 0, black, to 1, white, differentiable by the unknowns of N clients."""
