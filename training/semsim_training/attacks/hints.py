"""Mistakes in what is said of an update, as its numbers suggest them.

Each is a suggestion for a person: it changes no result.
"""

import itertools
import statistics

from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate
from semsim_training.attacks.entry_marks import even_entries, scattered_zeros, unlike_adam
from semsim_training.attacks.labels import last_layer_gradient
from semsim_training.attacks.reconstruction import Explanation
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.observation import Observation
from semsim_training.observations.training_mode import otherwise_in_training

_EXPLAINED = 0.9
"""The gain from which nothing is suggested."""
_SIMILAR = 0.9
"""The cosine from which two updates point the same way."""
_OPPOSITE = -0.5
"""The cosine below which the updates of all random images point away from the observed one.

Labels alone bring the updates of random images to .5 to .9 of that of the client's images.
"""
_NEGATED = (
    "The update points the other way, as before minus after, or the ascent of the loss: check its sign, and any labels "
    "that are declared."
)
_SPEAKS = 0.05
"""The part of the last bias's largest entry from which a negative entry says that there is an image of its class."""
_ORTHOGONAL, _SLANTED = 0.005, 0.02
"""The cosine between weights and gradients before batch normalisation, below and above which the mode is clear."""
_ROUNDED = 0.02
"""The share of the update that rounding makes from which it is told."""
_FAR = 10.0
"""The factor between the lengths of two updates from which one is doubted.

A search by the cosine does not look at lengths, which differ by up to 4 where all is declared rightly.
"""
_SAME, _OTHER_LENGTH = 0.98, 1.5
"""The cosine from which images make the observed direction, and the factor from which another length is told then."""


def hint(
    observation: Observation, explanation: Explanation, scale: float, random_norm: float, random_cosine: float
) -> str:
    """The mistake that the numbers suggest, in a sentence; empty where they suggest none.

    ``scale`` brings the images' update nearest to the observed one; ``random_norm`` is the length of the longest update
    that random images make, and ``random_cosine`` the largest cosine of their updates.
    """
    if explanation.gain >= _EXPLAINED and explanation.scale == 1:
        return ""
    if explanation.cosine < -_SIMILAR or random_cosine < _OPPOSITE or _speaks_negated(observation):
        return _NEGATED
    for suggestion in (_rounded, scattered_zeros, even_entries, unlike_adam, _mode, _classes):
        told = suggestion(observation)
        if told:
            return told
    return _length(observation, explanation, scale, random_norm) or _training_mode(observation)


def _training_mode(observation: Observation) -> str:
    """Parts of the network that work in training mode alone, which attacks do not repeat."""
    model, shape = observation.victim.model, observation.victim.inputs.shape
    return " ".join(filter(None, (_dropout(observation), otherwise_in_training(model, shape))))


def _dropout(observation: Observation) -> str:
    names = [
        name
        for name, layer in observation.victim.model.named_modules()
        if isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p > 0
    ]
    if not names:
        return ""
    return f"The network has dropout in {names[0]}: a client that trained with it on cannot be repeated."


def _rounded(observation: Observation) -> str:
    if observation.rounding < _ROUNDED:
        return ""
    return (
        f"Rounding makes {observation.rounding:.0%} of the update, because its numbers came in too few digits: no "
        "images explain that part."
    )


def _mode(observation: Observation) -> str:
    """In training mode a layer's scale does not matter, so that gradients stand upright on the weights."""
    training = observation.update.local_training
    if training is not None and (training.optimiser != "sgd" or training.weight_decay):
        return ""
    slants = [
        float((weight * update).sum(dim=1).abs().sum() / (weight.norm(dim=1) * update.norm(dim=1)).sum())
        for weight, update in _normalised_weights(observation)
        if update.any()
    ]
    if not slants:
        return ""
    slant = statistics.median(slants)
    if slant < _ORTHOGONAL and observation.batchnorm == "eval":
        return (
            "The update stands upright on the weights before batch normalisation, as in training mode: "
            "declare batch normalisation in training mode."
        )
    if slant > _SLANTED and observation.batchnorm == "train":
        return (
            "The update does not stand upright on the weights before batch normalisation, as it does in training mode "
            "where nothing is added to it: check the mode of batch normalisation."
        )
    return ""


def _normalised_weights(observation: Observation) -> list[tuple[Tensor, Tensor]]:
    """The weights of layers before batch normalisation and their updates, each ``(out, rest)``."""
    leaves = [(name, one) for name, one in observation.victim.model.named_modules() if not list(one.children())]
    pairs = []
    for (name, layer), (_, norm) in itertools.pairwise(leaves):
        normalised = isinstance(norm, nn.modules.batchnorm._BatchNorm)
        weight, update = getattr(layer, "weight", None), observation.update.tensors.get(f"{name}.weight")
        if not normalised or update is None or not isinstance(weight, Tensor) or weight.ndim < 2:
            continue
        if weight.shape[0] == norm.num_features:
            pairs.append((weight.detach().cpu().double().flatten(1), update.cpu().double().flatten(1)))
    return pairs


def _last_bias(observation: Observation) -> Tensor | None:
    """The gradient by the last bias; ``None`` where it cannot be told or training did more than add gradients."""
    training = observation.update.local_training
    return _last_bias_signs(observation) if training is None or training == _plain(training) else None


def _last_bias_signs(observation: Observation) -> Tensor | None:
    """Numbers with the signs of the gradient by the last bias; ``None`` where it cannot be told.

    Every optimiser moves a class without images down in each step, and so in their sum.
    """
    try:
        return last_layer_gradient(observation)[1].cpu()
    except InvalidUpdate:  # no such layer
        return None


def _spoken_of(bias: Tensor) -> list[int]:
    """The classes that a gradient by the last bias speaks of: it is negative only for classes of images."""
    return (bias < -_SPEAKS * float(bias.abs().max())).nonzero().flatten().tolist()


def _speaks_negated(observation: Observation) -> bool:
    """True where the last bias speaks of more classes than there are images, and its negative does not."""
    bias = _last_bias_signs(observation)
    return bias is not None and len(_spoken_of(-bias)) <= observation.images < len(_spoken_of(bias))


def _classes(observation: Observation) -> str:
    """The negative entries of the last bias's gradient are of classes of images, and sum to -1 at least."""
    training, bias = observation.update.local_training, _last_bias(observation)
    if bias is None:
        return ""
    present = _spoken_of(bias)
    if len(present) > observation.images:
        return (
            f"The last bias speaks of images of at least {len(present)} classes, and {observation.images} images are "
            "declared: check the number of images, or whether noise was added."
        )
    if observation.labels is not None and not set(present) <= set(observation.labels):
        missing = min(set(present) - set(observation.labels))
        return f"The last bias speaks of an image of class {missing}, which is not among the labels that are declared."
    if float(bias.clamp_max(0).sum()) < -1.05:
        checked = "whether losses were summed" if training is None else "the learning rate and the number of steps"
        return f"The last bias's entries are larger than a mean gradient's can be: check {checked}."
    return ""


def _length(observation: Observation, explanation: Explanation, scale: float, random_norm: float) -> str:
    training = observation.update.local_training
    checked = (
        "or losses were summed, or it is no gradient"
        if training is None
        else "or the declared learning rate, optimiser, batch size or number of epochs is another"
    )
    similar = explanation.cosine > _SIMILAR or explanation.scale != 1
    far = _OTHER_LENGTH if explanation.cosine > _SAME else _FAR
    if similar and scale > 0 and not 1 / far < scale < far:
        return (
            f"The update points where that of these images does and is {scale:.3g} times as long: it was clipped, "
            f"{checked}."
        )
    norm = sum(float(value.double().square().sum()) for value in observation.update.tensors.values()) ** 0.5
    if random_norm > 0 and norm > _FAR * random_norm:
        times = f"{norm / random_norm:.3g} times"
        return f"The update is {times} as long as that of random images: noise was added, {checked}."
    return ""


def _plain(training: LocalTraining) -> LocalTraining:
    """The same training by SGD alone."""
    return LocalTraining(training.learning_rate, training.batch_size, training.epochs)
