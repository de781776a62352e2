"""The marks that optimisers and defenses leave on the entries of an update, whatever the images are."""

from typing import Literal

import torch

from semsim_training.observations.observation import Observation

_EVEN = 0.2
"""The median magnitude of an update's entries by the largest, from which magnitudes are nearly equal.

Gradients and deltas of SGD are below .09 on six victims, deltas of one to nine steps of Adam above .24, and normal
noise is at .15 to .18.
"""
_SCATTERED = 0.5
"""The share of zeros, among entries whose row and column are not silent, from which an update looks pruned."""
_SMALL = 0.05
"""The smallest magnitude that is not zero by the median one, above which the small entries of a tensor were cut."""
_UNEVEN = 0.03
"""The median magnitude of an update's entries by the largest, below which Adam cannot have made them."""
_ADAM_LEAST, _ADAM_MOST = 0.3, 3.0
"""The bounds of the largest entry of Adam's delta, by its largest step and by the sum of its steps.

The first step moves each entry by the learning rate, and with PyTorch's betas a later one by little more.
"""


def contradicts_sgd(observation: Observation) -> bool:
    """True for a weight delta that is declared as one of SGD, and whose entries are nearly equal as Adam's are.

    Entries that are equal to the last bit are signs, which a defense makes of any update; pruning leaves large entries.
    """
    training = observation.update.local_training
    even = training is not None and training.optimiser == "sgd" and _evenness(observation) == "nearly equal"
    return even and not scattered_zeros(observation)


def even_entries(observation: Observation) -> str:
    """The hint that entries of nearly one magnitude give; empty where they differ."""
    if contradicts_sgd(observation):
        return (
            "The update's entries have nearly equal magnitudes, as those of Adam, and SGD is declared: check the "
            "optimiser."
        )
    if _evenness(observation) == "equal":
        return "The update's entries have one magnitude: only signs were sent, or a step of Adam."
    return ""


def unlike_adam(observation: Observation) -> str:
    """The hint that a declared Adam made other entries: each of its steps moves them by about the learning rate."""
    training = observation.update.local_training
    if training is None or training.optimiser == "sgd":
        return ""
    entries = torch.cat([value.flatten() for value in observation.update.tensors.values()]).abs()
    largest, median = float(entries.max()), float(entries[entries > 0].median())
    if median < _UNEVEN * largest:
        return (
            f"The update's entries have very different magnitudes, which those of {training.optimiser} have not: "
            "check the optimiser."
        )
    steps = training.steps(observation.images)
    rates = [training.learning_rate * factor for factor in training.schedule or (1.0,) * steps]
    if not _ADAM_LEAST * max(rates) <= largest <= _ADAM_MOST * sum(rates):
        return (
            f"The update's largest entry is {largest:.3g}, and {steps} steps of {training.optimiser} at the declared "
            f"learning rate make one of {max(rates):.3g} to {sum(rates):.3g}: check the learning rate, the optimiser "
            "and the number of steps."
        )
    return ""


def scattered_zeros(observation: Observation) -> str:
    """The hint that zeros look like pruning; empty where they do not."""
    zeros = alive = 0
    for value in observation.update.tensors.values():
        if value.ndim < 2 or not value.any():
            continue
        nonzero = value.flatten(1) != 0
        entries = nonzero[nonzero.any(dim=1)][:, nonzero.any(dim=0)]
        alive += entries.numel()
        left = value[value != 0].abs()
        # Activations that are silent scatter zeros, too, and leave entries of every size.
        if float(left.min()) > _SMALL * float(left.median()):
            zeros += int((~entries).sum())
    if zeros > _SCATTERED * alive:
        return "Zeros are scattered over the update, as after pruning: no images explain what was cut."
    return ""


def _evenness(observation: Observation) -> Literal["", "nearly equal", "equal"]:
    entries = torch.cat([value.flatten() for value in observation.update.tensors.values()]).abs()
    entries = entries[entries > 0]
    if not len(entries) or float(entries.median()) < _EVEN * float(entries.max()):
        return ""
    return "equal" if float(entries.min()) == float(entries.max()) else "nearly equal"
