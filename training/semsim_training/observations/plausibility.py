"""Refusals of updates that are not what they are said to be, before an attack on them finds nothing.

A gradient, a delta and a state look alike: they have the same names and shapes. They differ in their direction from the
weights that were sent out. A state lies along them, and neither a gradient nor a delta does.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from semsim.exceptions import InvalidUpdate
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.update_kind import UpdateKind

_ALONG = 0.9
"""The cosine with the weights from which tensors are a state."""
_ACROSS = 0.5
"""The cosine with the weights below which tensors are no state that local training reaches."""
_COUNTER = "num_batches_tracked"
Tensors = Mapping[str, Tensor]


def refuse_another_kind(kind: UpdateKind, sent: Tensors, weights: Tensors) -> None:
    """Refuse tensors of another kind; ``sent`` and ``weights`` have the names of the trained parameters.

    Raises:
        InvalidUpdate: a state is said to be a gradient or a delta, or the other way round; or the update is zero.
    """
    names = [name for name in weights if name in sent and sent[name].shape == weights[name].shape]
    if not names:
        return  # the observation says what is missing
    came, before = (torch.cat([of[name].double().flatten() for name in names]) for of in (sent, weights))
    if not torch.isfinite(came).all():
        return  # the observation names the tensor
    if not (came - before if kind is UpdateKind.AFTER else came).any():
        got = "the weights that were sent out, unchanged" if kind is UpdateKind.AFTER else "zeros only"
        raise InvalidUpdate(f"expected an update that is not zero, got {got}: nothing can be said of its client")
    norms = float(came.norm() * before.norm())
    if not norms:
        return
    cosine = float(came @ before) / norms
    if kind is not UpdateKind.AFTER and cosine > _ALONG:
        raise InvalidUpdate(
            f"expected a {kind}, got tensors whose cosine with the model's weights is {cosine:.3f}: they are the state "
            f"after training, which is of kind {UpdateKind.AFTER}"
        )
    if kind is UpdateKind.AFTER and cosine < _ACROSS and float((came - before).norm()) > _ALONG * float(before.norm()):
        raise InvalidUpdate(
            f"expected the state after training, got tensors whose cosine with the model's weights is {cosine:.3f}: "
            f"they are of kind {UpdateKind.GRADIENT} or {UpdateKind.DELTA}, or the model's weights are not those that "
            "were sent out"
        )


def refuse_other_steps(moved: Tensors, training: LocalTraining | None, images: int) -> None:
    """Refuse counters of batches that ``moved`` by another number than the steps of local training.

    Raises:
        InvalidUpdate: the client ran another number of steps.
    """
    steps = 1 if training is None else training.steps(images)
    for name, value in moved.items():
        if name.endswith(_COUNTER) and float(value) not in (0, steps):
            raise InvalidUpdate(
                f"expected {steps} steps of a client with {images} images, got {float(value):g} in {name}: check the "
                "number of images, the batch size and the epochs"
            )


def rounding_share(sent: Tensors, update: Tensors) -> float:
    """The share of an update's energy that the rounding of ``sent``, in which it came, makes; 0 for exact numbers."""
    lost = total = 0.0
    for name, value in update.items():
        total += float(value.double().square().sum())
        if not sent[name].is_floating_point():
            continue  # signs or levels of a quantised update are exact numbers, and nothing tells what they were before
        precision = torch.finfo(sent[name].dtype)
        came = sent[name].double()
        came = came[came != 0]
        _, exponents = torch.frexp(came)
        spacing = torch.ldexp(torch.full_like(came, 0.5), exponents) * precision.eps
        lost += float(spacing.clamp_min(precision.smallest_normal * precision.eps).square().sum()) / 12
    return min(lost / total, 1.0) if total else 0.0
