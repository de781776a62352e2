"""Noise, sparsification, signs and clipping of an update's tensors."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from semsim.exceptions import InvalidConfiguration
from semsim_training.defenses.defense import Defense, DefenseStep, defense_plug_in
from semsim_training.defenses.defense_plug_ins import plugged_defense

Tensors = Mapping[str, Tensor]


def defend(update: Tensors, defense: Defense, seed: int) -> dict[str, Tensor]:
    """The defended update; the same for the same seed.

    Raises:
        InvalidConfiguration: a plug-in or a function of the caller fails, or gives other tensors than an update has.
    """
    rng = torch.Generator().manual_seed(seed)
    defended = dict(update)
    for step in defense.steps:
        rule = _RULES.get(step.kind)
        defended = _others(step, defended, rng) if step.function or rule is None else rule(defended, step.value, rng)
    return defended


def _others(step: DefenseStep, update: Tensors, rng: torch.Generator) -> dict[str, Tensor]:
    """The update after a function of the caller, or of a plug-in, which gets copies of the tensors."""
    copies = {name: value.detach().clone() for name, value in update.items()}
    if step.function is not None:
        return _checked(step.kind, step.function(copies, step.value, rng), update)
    plugged = defense_plug_in(step.kind)
    if plugged is None:
        raise InvalidConfiguration(f"expected the plug-in of the defense {step.kind} to be installed, got none")
    made = plugged.call(plugged_defense(plugged).function, copies, step.value, rng)
    return _checked(f"{step.kind} of {plugged.origin}", made, update)


def _checked(defense: str, made: object, update: Tensors) -> dict[str, Tensor]:
    """The tensors of a defense that is not built in, in the update's order and types."""
    if not isinstance(made, Mapping) or set(made) != set(update):
        got = ", ".join(map(str, made)) or "no tensors" if isinstance(made, Mapping) else type(made).__name__
        raise InvalidConfiguration(f"expected the tensors {', '.join(update)} from the defense {defense}, got {got}")
    for name, value in update.items():
        shape = tuple(made[name].shape) if isinstance(made[name], Tensor) else type(made[name]).__name__
        if shape != tuple(value.shape):
            raise InvalidConfiguration(
                f"expected {name} of shape {tuple(value.shape)} from the defense {defense}, got {shape}"
            )
        if not torch.isfinite(made[name]).all():
            raise InvalidConfiguration(f"expected finite values of {name} from the defense {defense}, got others")
    return {name: made[name].detach().to(value) for name, value in update.items()}


def _gaussian(update: Tensors, scale: float, rng: torch.Generator) -> dict[str, Tensor]:
    noisy = {}
    for name, value in update.items():
        noise = torch.randn(value.shape, generator=rng, dtype=torch.float64)
        noisy[name] = value + scale * noise.to(value)
    return noisy


def _laplace(update: Tensors, scale: float, rng: torch.Generator) -> dict[str, Tensor]:
    noisy = {}
    for name, value in update.items():
        uniform = torch.rand(value.shape, generator=rng, dtype=torch.float64) - 0.5
        noise = -uniform.sign() * torch.log1p(-2 * uniform.abs())
        noisy[name] = value + scale * noise.to(value)
    return noisy


def _prune(update: Tensors, share: float, rng: torch.Generator) -> dict[str, Tensor]:
    """Zero the smallest ``share`` of every tensor's entries by magnitude (Zhu et al., 2019, section 5.2)."""
    return {name: _keep_largest(value, value.numel() - round(share * value.numel())) for name, value in update.items()}


def _top_k(update: Tensors, share: float, rng: torch.Generator) -> dict[str, Tensor]:
    """Keep the largest ``share`` of all entries by magnitude, over all tensors (Lin et al., ICLR 2018)."""
    flat = torch.cat([value.flatten() for value in update.values()])
    kept = _keep_largest(flat, max(1, round(share * flat.numel())))
    parts = kept.split([value.numel() for value in update.values()])
    return {name: part.view_as(value) for (name, value), part in zip(update.items(), parts, strict=True)}


def _sign(update: Tensors, _: float, rng: torch.Generator) -> dict[str, Tensor]:
    """Keep signs only (signSGD, Bernstein et al., ICML 2018)."""
    return {name: value.sign() for name, value in update.items()}


def _clip(update: Tensors, bound: float, rng: torch.Generator) -> dict[str, Tensor]:
    """Scale the whole update down to an L2 norm of at most ``bound``."""
    norm = math.sqrt(sum(float(value.double().square().sum()) for value in update.values()))
    factor = min(1.0, bound / norm) if norm > 0 else 1.0
    return {name: value * factor for name, value in update.items()}


_RULES: dict[str, Callable[[Tensors, float, torch.Generator], dict[str, Tensor]]] = {
    "gaussian": _gaussian,
    "laplace": _laplace,
    "prune": _prune,
    "top-k": _top_k,
    "sign": _sign,
    "clip": _clip,
}


def _keep_largest(value: Tensor, count: int) -> Tensor:
    if count >= value.numel():
        return value
    kept = torch.zeros_like(value).flatten()
    if count:
        largest = value.flatten().abs().topk(count).indices
        kept[largest] = value.flatten()[largest]
    return kept.view_as(value)
