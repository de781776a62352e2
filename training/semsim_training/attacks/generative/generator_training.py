"""Training a generator on images that the attacker has; it can be interrupted after every epoch."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from semsim.pixel_metrics import mse, psnr
from semsim.progress import Progress, silent
from semsim_training.attacks.generative.generator_file import GeneratorDescription, save_generator
from semsim_training.attacks.generative.image_generator import Autoencoder, ImageGenerator
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.client_images.source import ImageSource
from semsim_training.configuration import Configuration
from semsim_training.decay import half_cosine
from semsim_training.fitting import fit

_JUDGED = 500
"""The number of images that the description's PSNR is of."""


class GeneratorTraining(Configuration):
    """A generator, the images that it learns from, and its training by Adam whose rate falls by a cosine."""

    images: ImageSource
    """The attacker's images. A client's images among them would make every figure worthless."""
    code: int = Field(default=128, ge=1)
    """The length of a code."""
    width: int = Field(default=32, ge=1)
    """The channels before the last layer."""
    deviation: float = Field(default=0.1, gt=0)
    """The deviation of pixels, from 0 to 1, around a generated image: the smaller, the less normal the codes."""
    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    seed: int = 0


def train_generator(
    training: GeneratorTraining, path: Path, *, progress: Progress = silent, device: str = "cpu"
) -> GeneratorDescription:
    """Train a generator and write it to ``path`` (.safetensors). An interrupted run goes on after its last epoch.

    Raises:
        InvalidDataset: images cannot be read.
        InvalidConfiguration: the images' size is not four times a power of two.
    """
    images, size = training.images.load(), training.images.size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        model = Autoencoder(ImageGenerator(training.code, training.width, size), training.width).to(device)

    def loss(batch: tuple[Tensor, Tensor]) -> Tensor:
        pixels, noise = (part.to(device) for part in batch)
        value: Tensor = model.loss(pixels, noise, training.deviation)
        return value

    fit(
        model,
        torch.optim.Adam(model.parameters(), lr=training.learning_rate),
        lambda epoch: _batches(images, training, epoch),
        loss,
        epochs=training.epochs,
        steps=math.ceil(len(images) / training.batch_size),
        rate=lambda position: training.learning_rate * half_cosine(position, training.epochs),
        state=path.with_suffix(".state.safetensors"),
        progress=progress,
    )
    description = GeneratorDescription(
        code=training.code,
        width=training.width,
        size=size,
        dataset=images.name,
        images=len(images),
        epochs=training.epochs,
        deviation=training.deviation,
        seed=training.seed,
        psnr=round(_psnr(model, images), 2),
    )
    save_generator(model.generator, description, path)
    return description


@torch.no_grad()
def _psnr(model: Autoencoder, images: LabelledImages) -> float:
    """The mean PSNR in dB of what the generator makes of the codes of its first images."""
    first = images.images[:_JUDGED]
    device = next(model.parameters()).device
    made = model.generator(model.encode(_pixels(first).to(device))[0])
    levels = (made * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return float(psnr(mse(first, levels)).mean())


def _pixels(images: NDArray[np.uint8]) -> Tensor:
    """Images ``(B, H, W, 3)`` as ``(B, 3, H, W)`` in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).to(torch.float32) / 255


def _batches(images: LabelledImages, training: GeneratorTraining, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of an epoch, images in 0..1 and noise: in another order each epoch, half of them mirrored."""
    rng = np.random.default_rng([training.seed, epoch])
    order = rng.permutation(len(images))
    for start in range(0, len(images), training.batch_size):
        chosen = images.images[order[start : start + training.batch_size]]
        mirrored = np.where(rng.random((len(chosen), 1, 1, 1)) < 0.5, chosen[:, :, ::-1], chosen)
        noise = rng.standard_normal((len(chosen), training.code), dtype=np.float32)
        yield _pixels(mirrored), torch.from_numpy(noise)
