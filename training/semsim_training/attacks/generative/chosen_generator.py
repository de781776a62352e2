"""The generator that a search of codes was chosen with."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from semsim.exceptions import InvalidConfiguration
from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.generative.generator_file import load_generator
from semsim_training.attacks.generative.image_generator import ImageGenerator
from semsim_training.attacks.generative.latent_codes import LatentCodes
from semsim_training.configuration import expanded


def with_generator(recipe: AttackRecipe, path: Path | None) -> AttackRecipe:
    """The recipe with the generator of a file, where it searches codes, and else the recipe itself.

    Raises:
        InvalidConfiguration: a search of codes without a generator, or another search with one.
    """
    if isinstance(recipe.decoder, LatentCodes) and recipe.decoder.generator is None:
        if path is None:
            raise InvalidConfiguration(
                f"expected a generator of images for the attack {recipe.name}, got none; semsim attack train-generator "
                "makes one of images that no client holds"
            )
        place = expanded(path)
        # A file that was written anew is read anew.
        written = place.stat().st_mtime_ns if place.exists() else 0
        return replace(recipe, decoder=LatentCodes(_loaded(place, written)))
    if path is not None:
        raise InvalidConfiguration(f"expected no generator for the attack {recipe.name}, got {path}")
    return recipe


@lru_cache(maxsize=4)
def _loaded(path: Path, written: int) -> ImageGenerator:
    return load_generator(path)
