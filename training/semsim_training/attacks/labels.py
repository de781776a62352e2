"""Labels from the update alone, before any image is searched for."""

from torch import Tensor

from semsim.exceptions import InvalidUpdate
from semsim_training.attacks.label_counts import LastLayer, class_counts, implied_bias_gradient
from semsim_training.attacks.label_presence import Presence, present_classes
from semsim_training.attacks.victim_head import VictimHead, head_gradient
from semsim_training.observations.observation import Observation


def infer_labels(observation: Observation) -> tuple[int, ...]:
    """The client's labels, sorted: for one image by iDLG, for several by class counts.

    iDLG names the class whose entry of the last bias's gradient is negative: the entry is p - 1 for the true class and
    p for the others (Zhao et al., 2020, equation 4). Without a bias the same factors stand before the features in each
    row of the weight's gradient, so that the true class has the longest row. Several labels come from
    :func:`count_labels`. A weight delta is read as minus its mean gradient, which is exact for one local step.

    Raises:
        InvalidUpdate: :func:`require_labels` says why.
    """
    if observation.images > 1:
        counts = count_labels(observation)
        return tuple(label for label, count in enumerate(counts.tolist()) for _ in range(count))
    _, weight, bias = head_gradient(observation)
    return (int(weight.norm(dim=1).argmax() if bias is None else bias.argmin()),)


def require_labels(observation: Observation) -> None:
    """Refuse an observation whose labels cannot be inferred.

    Raises:
        InvalidUpdate: the victim's logits are no layer's output, or several images were trained on by Adam, or the last
            layer has no bias where features may be negative.
    """
    _require(observation, *_head_and_bias(observation))


def count_labels(observation: Observation) -> Tensor:
    """The number of the client's images of each class, ``(classes,)``.

    Where features cannot be negative, the signs of the weight's gradient say which classes there are; elsewhere any
    class may be there.

    Raises:
        InvalidUpdate: :func:`require_labels` says why.
    """
    head, weight, bias = head_gradient(observation)
    _require(observation, head, bias)
    if bias is None:
        bias = implied_bias_gradient(head.weight, head.bias, weight)
    known = present_classes(weight, bias, observation.images) if head.non_negative else Presence.unknown(len(bias))
    layer = LastLayer(head.weight, head.bias, weight, bias, head.non_negative)
    return class_counts(layer, known, observation.images)


def last_layer_gradient(observation: Observation) -> tuple[Tensor, Tensor]:
    """The mean-loss gradients of the last layer, ``(classes, features)`` and ``(classes,)``, in float64.

    Raises:
        InvalidUpdate: the victim's logits are not the output of one layer with a bias that the client trains.
    """
    head, weight, bias = head_gradient(observation)
    if bias is None:
        raise InvalidUpdate(f"expected a bias that the client trains in the victim's last layer {head.name}, got none")
    return weight, bias


def _head_and_bias(observation: Observation) -> tuple[VictimHead, Tensor | None]:
    head, _, bias = head_gradient(observation)
    return head, bias


def _require(observation: Observation, head: VictimHead, bias: Tensor | None) -> None:
    training = observation.update.local_training
    if observation.images == 1:
        return
    if training is not None and training.optimiser != "sgd":
        raise InvalidUpdate(
            f"expected the labels of {observation.images} images after {training.optimiser}, whose steps hide their "
            "number in each class, got none: give the labels"
        )
    if bias is None and not head.non_negative:
        raise InvalidUpdate(
            f"expected a bias in the victim's last layer {head.name}, or features before it that are never negative, "
            f"to infer the labels of {observation.images} images, got neither: give the labels"
        )
