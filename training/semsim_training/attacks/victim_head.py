"""The layer of a victim that makes its logits, found by running the victim."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate
from semsim_training.gradients.attackable import trained_names
from semsim_training.gradients.loss import logits_of
from semsim_training.observations.observation import Observation, Victim

_PROBES = 4
"""The number of images of noise that show what enters a layer."""
_SAME = 1e-4
"""The difference of log-probabilities up to which an output is the logits."""


@dataclass(frozen=True, slots=True)
class VictimHead:
    """A fully connected layer, or a convolution whose outputs are averaged over positions.

    Both are alike: an average of outputs is the output of the averaged inputs.
    """

    name: str
    layer: nn.Linear | nn.Conv2d
    non_negative: bool
    """True where noise gives the layer no negative input, as after a ReLU or a sigmoid."""

    @property
    def weight(self) -> Tensor:
        """The weight ``(classes, features)`` in float64 on the CPU."""
        return self.layer.weight.detach().double().cpu().flatten(1)

    @property
    def bias(self) -> Tensor:
        """The bias ``(classes,)`` in float64 on the CPU; zeros where there is none."""
        if self.layer.bias is None:
            return torch.zeros(len(self.layer.weight), dtype=torch.float64)
        return self.layer.bias.detach().double().cpu()


def victim_head(victim: Victim) -> VictimHead:
    """The layer whose output the victim's logits are, whatever stands behind it in the code.

    Raises:
        InvalidUpdate: the logits are not the output of one such layer, or the client does not train its weight.
    """
    model = copy.deepcopy(victim.model).eval()
    ran: list[tuple[str, Tensor, Tensor]] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.register_forward_hook(lambda _, inputs, output, name=name: ran.append((name, inputs[0], output)))
    probes = torch.randn(_PROBES, *victim.inputs.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = logits_of(model(probes.to(next(model.parameters()))))
    for name, entered, left in reversed(ran):
        layer = victim.model.get_submodule(name)
        if isinstance(layer, nn.Linear | nn.Conv2d) and _are_the_logits(left, logits):
            if f"{name}.weight" not in trained_names(victim.model):
                raise InvalidUpdate(f"expected a client that trains {name} to infer labels from it: give the labels")
            return VictimHead(name, layer, bool(entered.min() >= 0))
    raise InvalidUpdate(
        "expected logits that a fully connected layer makes, or a convolution whose outputs are averaged, to infer "
        f"labels from its gradient, got another end of {victim.name}: give the labels"
    )


def head_gradient(observation: Observation) -> tuple[VictimHead, Tensor, Tensor | None]:
    """The victim's head with its mean-loss gradients ``(classes, features)`` and ``(classes,)``, in float64 on the CPU.

    A delta of several steps is read as minus its mean gradient. After Adam it has the gradient's signs only.

    Raises:
        InvalidUpdate: as :func:`victim_head` says.
    """
    head = victim_head(observation.victim)
    tensors, training, scale = observation.direction, observation.update.local_training, 1.0
    if tensors is None:
        reach = 1.0 if training is None else training.reach(observation.images)
        tensors, scale = observation.update.tensors, -1 / max(reach, 1e-30)
    weight, bias = tensors[f"{head.name}.weight"], tensors.get(f"{head.name}.bias")
    return head, weight.double().cpu().flatten(1) * scale, None if bias is None else bias.double().cpu() * scale


def _are_the_logits(output: Tensor, logits: Tensor) -> bool:
    if output.ndim == 4:
        output = output.mean(dim=(2, 3))
    elif output.ndim == 3:
        output = output.mean(dim=1)
    if output.shape != logits.shape:
        return False
    # A softmax of logits that went through a log-softmax is the same.
    return torch.allclose(output.log_softmax(dim=1), logits.log_softmax(dim=1), rtol=_SAME, atol=_SAME)
