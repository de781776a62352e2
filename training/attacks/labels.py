"""Labels from the update alone, before any image is searched for."""

import torch
from scipy.optimize import nnls
from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate
from training.observations.observation import Observation

_TIE = 2.0
"""Squared weight of the naive shares for a network that is certain of everything."""


def infer_labels(observation: Observation) -> tuple[int, ...]:
    """The client's labels, sorted: for one image by iDLG, for several by class counts.

    One image: the entry of the last bias's gradient that is negative, p - 1 for the true class and p for the
    others (Zhao et al., 2020, equation 4). Several: :func:`count_labels`. A weight delta is read as minus its mean
    gradient, which is exact for one local step.

    Raises:
        InvalidUpdate: the victim ends in no fully connected layer with a bias.
    """
    weight, bias = last_layer_gradient(observation)
    if observation.images == 1:
        return (int(bias.argmin()),)
    counts = count_labels(observation.victim.model, weight, bias, observation.images)
    return tuple(label for label, count in enumerate(counts.tolist()) for _ in range(count))


def last_layer_gradient(observation: Observation) -> tuple[Tensor, Tensor]:
    """The mean-loss gradients of the last layer, ``(classes, features)`` and ``(classes,)``, in float64."""
    name, layer = _last_layer(observation.victim.model)
    tensors, training = observation.update.tensors, observation.update.local_training
    scale = 1.0 if training is None else -1 / (training.learning_rate * training.steps(observation.images))
    if layer.bias is None:
        raise InvalidUpdate(f"expected a bias in the victim's last layer {name} to infer labels, got none")
    return tensors[f"{name}.weight"].double() * scale, tensors[f"{name}.bias"].double() * scale


def count_labels(model: nn.Module, weight: Tensor, bias: Tensor, images: int) -> Tensor:
    """How many images of each class a client holds, ``(classes,)``, summing to ``images``.

    The bias's gradient of a class is its mean predicted probability minus its share of the labels. Naive counting takes
    the probabilities as uniform; a trained network's are not. For each class the quotient of weight and bias
    gradients estimates the features of its images, the last layer turns them into probabilities, and the shares
    follow from a non-negative least-squares problem (Ma et al., Instance-wise Batch Label Restoration, ICLR 2023).
    A confident network's gradients come from its mistakes, and those features are a mixture: the more confident it
    is, the closer the shares are tied to the naive ones.
    """
    _, layer = _last_layer(model)
    classes = len(bias)
    negative = bias < 0
    features = weight / torch.where(bias.abs() > 1e-12, bias, 1e-12)[:, None]
    logits = features @ layer.weight.detach().double().T.cpu() + layer.bias.detach().double().cpu()
    probabilities = logits.softmax(dim=1)
    # A class whose gradient is not negative may still be present; its features are a mixture, the mean serves.
    present = probabilities[negative].mean(dim=0) if negative.any() else torch.full((classes,), 1 / classes).double()
    probabilities = torch.where(negative[:, None], probabilities, present[None])
    system = torch.eye(classes, dtype=torch.float64) - probabilities.T
    one = torch.ones(1, classes, dtype=torch.float64)
    confidence = (float(probabilities.max(dim=1).values.mean()) - 1 / classes) / (1 - 1 / classes)
    tie = (_TIE * max(confidence, 0.0)) ** 0.5
    rows = torch.cat([system, one, tie * torch.eye(classes, dtype=torch.float64)])
    wanted = torch.cat([-bias, one[0, :1], tie * _naive_shares(bias)])
    shares, _ = nnls(rows.numpy(), wanted.numpy())
    return _whole_numbers(torch.from_numpy(shares), -bias, images)


def naive_counts(bias: Tensor, images: int) -> Tensor:
    """The counts with uniform probabilities, ``(classes,)``: what :func:`count_labels` is compared with."""
    return _whole_numbers(_naive_shares(bias), -bias, images)


def _naive_shares(bias: Tensor) -> Tensor:
    shares = (1 / len(bias) - bias).clamp_min(0)
    return shares / shares.sum()


def _whole_numbers(shares: Tensor, evidence: Tensor, images: int) -> Tensor:
    """Shares to counts that sum to ``images``: largest remainders, ties to the stronger evidence."""
    shares = shares / shares.sum().clamp_min(1e-12) * images
    counts = shares.floor()
    remaining = images - int(counts.sum())
    remainders = shares - counts + 1e-9 * evidence
    counts[remainders.topk(remaining).indices] += 1
    return counts.long()


def _last_layer(model: nn.Module) -> tuple[str, nn.Linear]:
    layers = [(name, layer) for name, layer in model.named_modules() if not list(layer.children())]
    with_parameters = [(name, layer) for name, layer in layers if next(layer.parameters(), None) is not None]
    name, layer = with_parameters[-1]
    if not isinstance(layer, nn.Linear):
        raise InvalidUpdate(f"expected a fully connected last layer to infer labels, got {name}: {layer}")
    return name, layer
