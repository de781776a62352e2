"""The layers whose weights clients can share: what each computes, and each client's gradients by its parameters."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm

from semsim_training.gradients.affine import affine
from semsim_training.gradients.batchnorm import ClientBatchNorm
from semsim_training.gradients.position import AddedPositions
from semsim_training.gradients.shared_convolution import ConvolutionLayer
from semsim_training.gradients.shared_layer import LayerRun, SharedLayer
from semsim_training.gradients.standardised import standardised
from semsim_training.gradients.terms import GradientTerm, OuterTerm, summed

_Terms = Callable[..., Mapping[str, GradientTerm]]


def known_layer(layer: nn.Module) -> tuple[type[nn.Module], SharedLayer] | None:
    """The known class that a layer is of, and the run of that class's function by the layer's parameters, or ``None``.

    The run does not differentiate by the layer's own parameters, so that autograd sees only what else a network does
    with them.
    """
    if isinstance(layer, ClientBatchNorm):
        layer.probe = True
        return type(layer), partial(_batchnorm, layer, layer.forward)
    if "parametrizations" in layer._modules:  # its weight is computed from others
        return None
    own = {name for name, value in vars(layer)["_parameters"].items() if value is not None}
    for kind, run_of in _KINDS.items():
        if isinstance(layer, kind) and own <= _PARAMETERS and (run := run_of(layer)) is not None:
            return kind, run
    return None


def _batchnorm(layer: ClientBatchNorm, forward: Callable[[Tensor], Tensor], x: Tensor, images: int) -> LayerRun:
    y = forward(x)

    def terms(*gradients: Tensor) -> Mapping[str, GradientTerm]:
        pairs = zip(("weight", "bias"), gradients, strict=False)
        return {name: summed(gradient, images) for name, gradient in pairs}

    return LayerRun(y, layer.probes, terms)


def _linear(layer: nn.Linear, x: Tensor, images: int) -> LayerRun:
    """``x`` ``(N * images, ..., in)``."""
    bias = None if layer.bias is None else layer.bias.detach()

    def terms(delta: Tensor) -> Mapping[str, GradientTerm]:
        rows, deltas = (t.reshape(x.shape[0] // images, -1, t.shape[-1]) for t in (x, delta))
        weight = OuterTerm(rows, deltas)
        return {"weight": weight} if bias is None else {"weight": weight, "bias": summed(deltas.sum(dim=1), 1)}

    y = F.linear(x, layer.weight.detach(), bias)
    return LayerRun(y, (y,), terms)


def _prelu(layer: nn.PReLU, x: Tensor, images: int) -> LayerRun:
    y = F.prelu(x, layer.weight.detach())

    def terms(delta: Tensor) -> Mapping[str, GradientTerm]:
        by_weight = (delta * x.clamp_max(0)).reshape(len(x), layer.num_parameters, -1).sum(dim=2)
        return {"weight": summed(by_weight, images)}

    return LayerRun(y, (y,), terms)


def _positions(layer: AddedPositions, x: Tensor, images: int) -> LayerRun:
    y = x + layer.positions.detach()
    return LayerRun(y, (y,), lambda delta: {"positions": summed(delta, images)})


def _layer_norm(layer: nn.LayerNorm, x: Tensor, images: int) -> LayerRun:
    size = torch.Size(layer.normalized_shape).numel()
    values = standardised(x.reshape(-1, 1, 1, size), layer.eps).view(len(x), -1, size)
    y, by, terms = _scaled(layer, values.transpose(1, 2), images)
    return LayerRun(y.transpose(1, 2).reshape(x.shape), by, terms)


def _rms_norm(layer: nn.RMSNorm, x: Tensor, images: int) -> LayerRun:
    rows = x.reshape(len(x), -1, torch.Size(layer.normalized_shape).numel())
    epsilon = torch.finfo(x.dtype).eps if layer.eps is None else layer.eps
    values = rows * (rows.square().mean(dim=-1, keepdim=True) + epsilon).rsqrt()
    y, by, terms = _scaled(layer, values.transpose(1, 2), images)
    return LayerRun(y.transpose(1, 2).reshape(x.shape), by, terms)


def _group_norm(layer: nn.GroupNorm | _InstanceNorm, x: Tensor, images: int) -> LayerRun:
    groups = layer.num_groups if isinstance(layer, nn.GroupNorm) else layer.num_features
    pixels = x.movedim(1, -1).reshape(len(x), -1, groups, x.shape[1] // groups)
    y, by, terms = _scaled(layer, standardised(pixels, layer.eps).flatten(2).transpose(1, 2), images)
    return LayerRun(y.transpose(1, 2).reshape(len(x), *x.shape[2:], x.shape[1]).movedim(-1, 1), by, terms)


def _scaled(layer: nn.Module, values: Tensor, images: int) -> tuple[Tensor, tuple[Tensor, ...], _Terms]:
    """Normalised values ``(B, C, positions)`` times a weight of C numbers plus a bias, and the rest of a run."""
    shapes = {name: parameter.shape for name, parameter in layer.named_parameters(recurse=False)}
    probes = [layer.get_parameter(name).detach().flatten().repeat(len(values), 1).requires_grad_() for name in shapes]
    weight, shift = probes if len(probes) == 2 else (probes[0], torch.zeros_like(probes[0]))

    def terms(*gradients: Tensor) -> Mapping[str, GradientTerm]:
        pairs = zip(shapes.items(), gradients, strict=True)
        return {name: summed(gradient.view(-1, *shape), images) for (name, shape), gradient in pairs}

    return affine(values, weight, shift), tuple(probes), terms


def _tracking(layer: _InstanceNorm) -> SharedLayer | None:
    """An instance normalisation's run, but for one by running statistics."""
    return None if layer.track_running_stats else partial(_group_norm, layer)


_PARAMETERS = {"weight", "bias", "positions"}
_KINDS: Mapping[type[nn.Module], Callable[[Any], SharedLayer | None]] = {
    nn.Conv2d: ConvolutionLayer,
    nn.Conv1d: ConvolutionLayer,
    nn.Linear: lambda layer: partial(_linear, layer),
    nn.LayerNorm: lambda layer: partial(_layer_norm, layer),
    nn.RMSNorm: lambda layer: partial(_rms_norm, layer),
    nn.GroupNorm: lambda layer: partial(_group_norm, layer),
    nn.InstanceNorm1d: _tracking,
    nn.InstanceNorm2d: _tracking,
    nn.PReLU: lambda layer: partial(_prelu, layer),
    AddedPositions: lambda layer: partial(_positions, layer),
}
