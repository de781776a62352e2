"""Images in closed form, where the first layer is fully connected.

A row of that layer's weight gradient is the input times the same row of its bias gradient (Phong et al., 2017; Geiping
et al., 2020, proposition 3.1). Behind an imprint module, neighbouring rows differ by the images between two thresholds
(Fowl et al., ICLR 2022).
"""

import math
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate
from semsim_training.attacks.explanation import explanations, status_of
from semsim_training.attacks.label_pairing import ComparedPart
from semsim_training.attacks.labels import infer_labels
from semsim_training.attacks.reconstruction import Reconstruction, Status
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.client_images.normalisation import box, to_images
from semsim_training.observations.observation import Observation
from semsim_training.victims.imprint import ImprintedPerceptron

_SILENT = 1e-12
"""The magnitude of a bias gradient below which a row says nothing."""
_CUT = 0.01
"""The share of pixels beyond black and white from which the normalisation is doubted."""
_OTHER_NORMALISATION = (
    "Pixels lie beyond black and white: noise was added to the update, or the images were normalised otherwise."
)


def closed_form(observation: Observation) -> Reconstruction:
    """The image of a client that sent the gradient of one image; exact but for rounding.

    Raises:
        InvalidUpdate: several images, a weight delta, or a victim whose first layer is not fully connected.
    """
    weight, bias = _first_layer(observation, "closed-form")
    if observation.images != 1:
        raise InvalidUpdate(f"expected one image for the attack closed-form, got {observation.images}")
    row = int(bias.abs().argmax())
    if not bias[row]:
        return _reconstruction(observation, torch.zeros_like(weight[:1]), True, infer_labels(observation))
    labels = observation.labels if observation.labels is not None else infer_labels(observation)
    return _reconstruction(observation, (weight[row] / bias[row])[None], False, labels)


def imprint(observation: Observation) -> Reconstruction:
    """The images of a client whose server put an imprint module before the model.

    Labels are -1, because nothing says which image has which label. The share that the images explain is that of the
    module's bins. Images come in the order of their bins; two images
    of one bin come out as a mixture. Where fewer bins than images give an image, the remaining images are grey.

    Raises:
        InvalidUpdate: a weight delta, or a victim without an imprint module.
    """
    if not isinstance(observation.victim.model, ImprintedPerceptron):
        raise InvalidUpdate(
            f"expected a victim with an imprint module for the attack imprint, got {observation.victim.name}"
        )
    weight, bias = _first_layer(observation, "imprint")
    weights, biases = (_bins(t, dim=0) for t in (weight, bias))
    speaking = biases.abs() > max(float(biases.abs().max()) * 1e-6, _SILENT)
    strongest = biases.abs().masked_fill(~speaking, 0).topk(min(observation.images, len(biases))).indices.sort().values
    images = [weights[i] / biases[i] for i in strongest if speaking[i]]
    grey = [torch.zeros_like(weight[0])] * (observation.images - len(images))
    labels = (-1,) * observation.images
    return _reconstruction(observation, torch.stack([*images, *grey]), not images, labels, IMPRINTED)


def _bins(rows: Tensor, dim: int) -> Tensor:
    """The parts of each bin: unit i fires for images brighter than threshold i, and the next one leaves them out."""
    return rows - torch.cat([rows.narrow(dim, 1, rows.shape[dim] - 1), torch.zeros_like(rows.narrow(dim, 0, 1))], dim)


IMPRINTED = ComparedPart("imprint.weight", partial(_bins, dim=1))
"""The part of an update that images behind an imprint module explain.

Behind the module labels alone explain nine tenths of an update. In its bins each image stands for itself, and a mixture
of two does not spoil the others.
"""


def _first_layer(observation: Observation, attack: str) -> tuple[Tensor, Tensor]:
    """The gradients of the first layer's weight and bias, in float64."""
    model, gradient = observation.victim.model, observation.direction
    if gradient is None:
        raise InvalidUpdate(
            f"expected a gradient or the delta of one step of SGD for the attack {attack}, got "
            f"{observation.update.local_training}"
        )
    leaves = [(name, module) for name, module in model.named_modules() if next(module.children(), None) is None]
    name, layer = next((name, module) for name, module in leaves if next(module.parameters(), None) is not None)
    if (
        not isinstance(layer, nn.Linear)
        or layer.bias is None
        or layer.in_features != math.prod(observation.victim.inputs.shape)
    ):
        raise InvalidUpdate(
            f"expected a victim whose first layer is fully connected with a bias for the attack {attack}, "
            f"got {name}: {layer}"
        )
    return gradient[f"{name}.weight"].double(), gradient[f"{name}.bias"].double()


def _reconstruction(
    observation: Observation,
    pixels: Tensor,
    silent: bool,
    labels: tuple[int, ...],
    part: ComparedPart | None = None,
) -> Reconstruction:
    inputs = observation.victim.inputs
    finite = pixels.nan_to_num(posinf=0.0, neginf=0.0).unflatten(1, inputs.shape)
    images = to_images(finite, inputs)
    if silent:
        return Reconstruction(images, Status.DIVERGED, float("nan"), labels, None, "closed form")
    (explanation,) = explanations([observation], [images], [labels], part=part)
    status = status_of(explanation)
    if status is not Status.MATCHED and _outside(finite, inputs) > _CUT:
        explanation = replace(explanation, hint=explanation.hint or _OTHER_NORMALISATION)
    return Reconstruction(images, status, 0.0, labels, explanation, "closed form")


def _outside(pixels: Tensor, inputs: Inputs) -> float:
    """The share of pixels that are more than a level beyond black and white."""
    black, white = box(inputs, pixels.dtype)
    level = (white - black) / 255
    return float(((pixels < black - level) | (pixels > white + level)).double().mean())
