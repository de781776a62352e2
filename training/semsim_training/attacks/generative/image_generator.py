"""A small generator of images and the encoder that it is trained with (Kingma, Welling: variational Bayes, 2014)."""

import torch
from torch import Tensor, nn

from semsim.exceptions import InvalidConfiguration


class ImageGenerator(nn.Module):
    """Codes to square RGB images of 16, 32 or 64 pixels; standard normal codes give the images of its training set."""

    def __init__(self, code: int, width: int, size: int) -> None:
        """``code`` is the length of a code, ``width`` the channels before the last layer, ``size`` the side in pixels.

        Raises:
            InvalidConfiguration: a size that is not four times a power of two.
        """
        super().__init__()
        self.code, self.size = code, size
        doublings = (size // 4).bit_length() - 1
        if size != 4 << doublings:
            raise InvalidConfiguration(f"expected a size of 16, 32, 64 or 128 pixels for a generator, got {size}")
        widest = width << (doublings - 1)
        layers: list[nn.Module] = [nn.Linear(code, widest * 16), nn.ReLU(), nn.Unflatten(1, (widest, 4, 4))]
        for step in range(doublings):
            entering = widest >> step
            leaving = entering // 2 if step < doublings - 1 else entering
            layers += [nn.ConvTranspose2d(entering, leaving, 4, stride=2, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1), nn.Sigmoid())

    def forward(self, codes: Tensor) -> Tensor:
        """Images ``(B, 3, size, size)`` between 0 and 1 of codes ``(B, code)``."""
        images: Tensor = self.layers(codes)
        return images


class Autoencoder(nn.Module):
    """A generator with the encoder that learns it."""

    def __init__(self, generator: ImageGenerator, width: int) -> None:
        super().__init__()
        self.generator = generator
        layers: list[nn.Module] = []
        entering, leaving = 3, width
        for _ in range((generator.size // 4).bit_length() - 1):
            layers += [nn.Conv2d(entering, leaving, 4, stride=2, padding=1), nn.ReLU()]
            entering, leaving = leaving, leaving * 2
        self.encoder = nn.Sequential(*layers, nn.Flatten(), nn.Linear(entering * 16, 2 * generator.code))

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The means and the log-variances ``(B, code)`` of the codes of images ``(B, 3, size, size)`` in 0..1."""
        mean, log_variance = self.encoder(images * 2 - 1).chunk(2, dim=1)
        return mean, log_variance

    def loss(self, images: Tensor, noise: Tensor, deviation: float) -> Tensor:
        """The negative evidence bound of images in 0..1, in nats a pixel value, with the standard normal ``noise``.

        ``deviation`` is that of the pixels around a generated image: the smaller it is, the less normal the codes.
        """
        mean, log_variance = self.encode(images)
        made = self.generator(mean + noise * (0.5 * log_variance).exp())
        apart = (made - images).square().flatten(1).sum(dim=1) / (2 * deviation**2)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
        return torch.mean(apart + divergence) / images[0].numel()
