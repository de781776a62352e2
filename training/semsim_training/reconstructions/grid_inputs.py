"""The inputs that a grid names and does not hold: weights of victims, images, and the version of SemSim."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from semsim import __version__
from semsim.exceptions import InvalidConfiguration
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.configuration import FrozenModel
from semsim_training.observations.observation import Victim
from semsim_training.reconstructions.near_copies import pixels_sha256
from semsim_training.victims.description import Network


class GridInputs(FrozenModel):
    """The inputs of a set, so that none goes on with others that have the same names."""

    victims: Mapping[str, str]
    """The hash of each victim's weights and network."""
    images: Mapping[str, str]
    """The hash of the images that were chosen, by their name in the grid."""
    semsim: str
    """The version of SemSim."""

    @classmethod
    def of(cls, victims: Mapping[str, tuple[Victim, Network]], images: Mapping[str, LabelledImages]) -> Self:
        """The inputs that are there now."""
        return cls(
            victims={name: victim_sha256(*victim) for name, victim in victims.items()},
            images={name: images_sha256(chosen) for name, chosen in images.items()},
            semsim=__version__,
        )


def refuse_others(out: Path, what: str, expected: Mapping[str, str], got: Mapping[str, str]) -> None:
    """Refuse to go on with a set in ``out`` where one of the hashes of ``what`` differs.

    Raises:
        InvalidConfiguration: which one, and both hashes.
    """
    for name, sha256 in expected.items():
        if (now := got.get(name, "none")) != sha256:
            raise InvalidConfiguration(
                f"expected the {what} {name} of the set in {out}, sha256 {sha256[:12]}, got {now[:12]}: begin in "
                "another directory"
            )


def weights_sha256(victim: Victim) -> str:
    """A hash of a victim's weights, names included."""
    running = hashlib.sha256()
    for name, value in sorted(victim.model.state_dict().items()):
        running.update(name.encode())
        running.update(value.detach().cpu().contiguous().numpy().tobytes())
    return running.hexdigest()


def victim_sha256(victim: Victim, network: Network) -> str:
    """A hash of a victim's weights and of its network's description, what is left at its default apart."""
    described = network.model_dump_json(exclude_defaults=True)
    return hashlib.sha256(f"{weights_sha256(victim)}\n{described}".encode()).hexdigest()


def images_sha256(images: LabelledImages) -> str:
    """A hash of images in order: names, classes and pixels."""
    running = hashlib.sha256(images.name.encode())
    for name, label, image in zip(images.identifiers, images.labels.tolist(), images.images, strict=True):
        running.update(f"\n{name}\n{label}\n{images.classes[label]}\n{pixels_sha256(image)}".encode())
    return running.hexdigest()
