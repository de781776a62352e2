"""The inputs of a victim's last layer: those that an update implies, and those that candidates have."""

import torch
from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate
from semsim_training.attacks.labels import last_layer_gradient
from semsim_training.attacks.victim_head import victim_head
from semsim_training.observations.observation import Observation, Victim


def implied_features(observation: Observation, labels: tuple[int, ...]) -> Tensor:
    """The last layer's inputs ``(images, F)`` that an update implies for images with these labels.

    A class's row of the weight's gradient is divided by the class's entry of the bias's gradient; where that is zero,
    the features are, as in the breaching framework.

    Raises:
        InvalidUpdate: the victim ends in no fully connected layer with a bias.
    """
    weight, bias = last_layer_gradient(observation)
    rows = torch.where(bias[:, None] == 0, 0.0, weight / bias[:, None])
    return rows[list(labels)]


def require_features(observation: Observation) -> None:
    """Refuse an observation whose update does not imply the last layer's inputs.

    Raises:
        InvalidUpdate: the victim ends in no fully connected layer with a bias.
    """
    head = victim_head(observation.victim)
    if not isinstance(head.layer, nn.Linear):
        raise InvalidUpdate(f"expected a fully connected last layer to match features, got {head.name}: {head.layer}")
    last_layer_gradient(observation)


class FeatureRecorder:
    """Keeps what enters the last layer of an attackable copy of a victim."""

    def __init__(self, victim: Victim, network: nn.Module) -> None:
        """Watch the layer of ``network`` that has the name of the victim's last layer.

        Raises:
            InvalidUpdate: the victim ends in no fully connected layer.
        """
        self._network = network
        self._entered: Tensor | None = None
        network.get_submodule(victim_head(victim).name).register_forward_pre_hook(self._keep)

    def _keep(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._entered = inputs[0]

    def features(self, images: Tensor, *, again: bool) -> Tensor:
        """The features ``(B, F)`` of the last forward pass, which saw ``images``.

        With ``again`` there is another pass: what was kept under ``vmap`` cannot be used outside it.
        """
        if again or self._entered is None:
            self._network(images)
        entered, self._entered = self._entered, None
        if entered is None:
            raise ValueError("expected the last layer to run, got a forward pass without it")
        return entered
