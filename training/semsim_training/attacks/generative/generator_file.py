"""Generators on disk: weights in safetensors, and beside them a JSON file that says what they are."""

from pathlib import Path
from typing import ClassVar

from safetensors.torch import save_file

from semsim.exceptions import InvalidConfiguration
from semsim_training.attacks.generative.image_generator import ImageGenerator
from semsim_training.configuration import Description
from semsim_training.victims.victim_checkpoint import load_weights, read_tensors


class GeneratorDescription(Description):
    """A generator, and the images that it learned from."""

    CONTENT: ClassVar[str] = "a generator's description"
    REFUSAL: ClassVar = InvalidConfiguration

    code: int
    """The length of a code."""
    width: int
    """The channels before the last layer."""
    size: int
    """The side of its images, in pixels."""
    dataset: str
    """The name of the data set that it learned from."""
    images: int
    """The number of images that it learned from."""
    epochs: int
    deviation: float
    """The deviation of pixels around a generated image in the training."""
    seed: int
    psnr: float
    """The mean PSNR, in dB, of what it makes of the codes of some images that it learned from."""


def save_generator(generator: ImageGenerator, description: GeneratorDescription, path: Path) -> None:
    """Write ``path`` (safetensors) and the description beside it, with suffix .json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().cpu().contiguous() for name, value in generator.state_dict().items()}, path)
    path.with_suffix(".json").write_text(description.model_dump_json(indent=2) + "\n")


def load_generator(path: Path) -> ImageGenerator:
    """The generator of a file, frozen.

    Raises:
        InvalidConfiguration: there is no description, or it does not fit the schema.
        InvalidVictim: the weights are missing, or not the generator's.
    """
    description = GeneratorDescription.read(path.with_suffix(".json"))
    generator = ImageGenerator(description.code, description.width, description.size)
    load_weights(generator, read_tensors(path), str(path))
    return generator.eval().requires_grad_(False)
