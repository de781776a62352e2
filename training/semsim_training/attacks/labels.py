"""Labels from the update alone, before any image is searched for."""

import torch
from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate
from semsim_training.attacks.label_counts import LastLayer, class_counts
from semsim_training.attacks.label_presence import Presence, present_classes
from semsim_training.observations.observation import Observation, Victim

_PROBES = 4
"""The number of images of noise that show whether a victim's features can be negative."""


def infer_labels(observation: Observation) -> tuple[int, ...]:
    """The client's labels, sorted: for one image by iDLG, for several by class counts.

    iDLG names the class whose entry of the last bias's gradient is negative: the entry is p - 1 for the true class and
    p for the others (Zhao et al., 2020, equation 4). Several labels come from :func:`count_labels`. A weight delta is
    read as minus its mean gradient, which is exact for one local step.

    Raises:
        InvalidUpdate: the victim ends in no fully connected layer with a bias.
    """
    if observation.images == 1:
        return (int(last_layer_gradient(observation)[1].argmin()),)
    counts = count_labels(observation)
    return tuple(label for label, count in enumerate(counts.tolist()) for _ in range(count))


def count_labels(observation: Observation) -> Tensor:
    """The number of the client's images of each class, ``(classes,)``.

    Where features cannot be negative, the signs of the weight's gradient say which classes there are; elsewhere any
    class may be there.

    Raises:
        InvalidUpdate: the victim ends in no fully connected layer with a bias.
    """
    weight_gradient, bias_gradient = (tensor.cpu() for tensor in last_layer_gradient(observation))
    _, layer = last_layer(observation.victim.model)
    weight, bias = (parameter.detach().double().cpu() for parameter in (layer.weight, layer.bias))
    non_negative = _has_non_negative_features(observation.victim, layer)
    if non_negative:
        presence = present_classes(weight_gradient, bias_gradient, observation.images)
    else:
        presence = Presence.unknown(len(bias))
    observed = LastLayer(weight, bias, weight_gradient, bias_gradient, non_negative)
    return class_counts(observed, presence, observation.images)


def last_layer_gradient(observation: Observation) -> tuple[Tensor, Tensor]:
    """The mean-loss gradients of the last layer, ``(classes, features)`` and ``(classes,)``, in float64."""
    name, layer = last_layer(observation.victim.model)
    tensors, training = observation.update.tensors, observation.update.local_training
    scale = 1.0 if training is None else -1 / (training.learning_rate * training.steps(observation.images))
    if layer.bias is None:
        raise InvalidUpdate(f"expected a bias in the victim's last layer {name} to infer labels, got none")
    return tensors[f"{name}.weight"].double() * scale, tensors[f"{name}.bias"].double() * scale


def _has_non_negative_features(victim: Victim, layer: nn.Linear) -> bool:
    """True where noise gives the last layer no negative input, as after a ReLU or a sigmoid."""
    smallest: list[float] = []
    probes = torch.randn(_PROBES, *victim.inputs.shape, generator=torch.Generator().manual_seed(0))
    hook = layer.register_forward_pre_hook(lambda _, inputs: smallest.append(float(inputs[0].min())))
    try:
        with torch.no_grad():
            victim.model(probes.to(layer.weight))
    finally:
        hook.remove()
    return min(smallest) >= 0


def last_layer(model: nn.Module) -> tuple[str, nn.Linear]:
    """The name and the module of a victim's last layer.

    Raises:
        InvalidUpdate: it is not fully connected.
    """
    layers = [(name, layer) for name, layer in model.named_modules() if not list(layer.children())]
    with_parameters = [(name, layer) for name, layer in layers if next(layer.parameters(), None) is not None]
    name, layer = with_parameters[-1]
    if not isinstance(layer, nn.Linear):
        raise InvalidUpdate(f"expected a fully connected last layer to infer labels, got {name}: {layer}")
    return name, layer
