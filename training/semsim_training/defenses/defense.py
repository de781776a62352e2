"""Defenses on an update: noise, sparsification, signs, clipping; written ``clip:1.0+gaussian:1e-3``, left to right."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from semsim.exceptions import InvalidConfiguration

Tensors = Mapping[str, Tensor]
_Rule = Callable[[Tensors, float, torch.Generator], dict[str, Tensor]]


def _gaussian(update: Tensors, scale: float, rng: torch.Generator) -> dict[str, Tensor]:
    return {name: value + scale * _normal(value, rng) for name, value in update.items()}


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
    """Signs only (signSGD, Bernstein et al., ICML 2018)."""
    return {name: value.sign() for name, value in update.items()}


def _clip(update: Tensors, bound: float, rng: torch.Generator) -> dict[str, Tensor]:
    """Scale the whole update down to an L2 norm of at most ``bound``."""
    norm = math.sqrt(sum(float(value.double().square().sum()) for value in update.values()))
    factor = min(1.0, bound / norm) if norm > 0 else 1.0
    return {name: value * factor for name, value in update.items()}


@dataclass(frozen=True, slots=True)
class _Kind:
    rule: _Rule
    expected: str
    allows: Callable[[float], bool]


_KINDS = {
    "gaussian": _Kind(_gaussian, "a standard deviation >= 0", lambda value: value >= 0),
    "laplace": _Kind(_laplace, "a scale >= 0", lambda value: value >= 0),
    "prune": _Kind(_prune, "a share to zero, 0 <= share < 1", lambda value: 0 <= value < 1),
    "top-k": _Kind(_top_k, "a share to keep, 0 < share <= 1", lambda value: 0 < value <= 1),
    "sign": _Kind(_sign, "no value", lambda value: value == 0),
    "clip": _Kind(_clip, "a norm > 0", lambda value: value > 0),
}


@dataclass(frozen=True, slots=True)
class _Step:
    kind: str
    value: float


class Defense:
    """A sequence of defenses; ``none`` is the empty one.

    ``gaussian:STD``, ``laplace:SCALE``, ``prune:SHARE``, ``top-k:SHARE``, ``sign``, ``clip:NORM`` and
    ``dp:NORM:MULTIPLIER``, which is clipping with Gaussian noise of MULTIPLIER times the norm (Abadi et al., CCS 2016).
    """

    def __init__(self, text: str) -> None:
        """Read a sequence.

        Raises:
            InvalidConfiguration: an unknown defense, or a value outside its range.
        """
        self.text = text
        self._steps = [] if text == "none" else [step for part in text.split("+") for step in _parse(part)]

    def apply(self, update: Tensors, seed: int) -> dict[str, Tensor]:
        """The defended update; the same for the same seed."""
        rng = torch.Generator().manual_seed(seed)
        defended = dict(update)
        for step in self._steps:
            defended = _KINDS[step.kind].rule(defended, step.value, rng)
        return defended


def _parse(part: str) -> list[_Step]:
    name, *texts = part.split(":")
    try:
        values = [float(text) for text in texts]
    except ValueError:
        raise InvalidConfiguration(f"expected numbers in the defense, got {part}") from None
    if name == "dp":
        if len(values) != 2 or not (values[0] > 0 and 0 <= values[1] < math.inf):
            raise InvalidConfiguration(f"expected dp:NORM:MULTIPLIER with a norm > 0 and a multiplier >= 0, got {part}")
        return [_Step("clip", values[0]), _Step("gaussian", values[0] * values[1])]
    kind = _KINDS.get(name)
    if kind is None:
        raise InvalidConfiguration(f"expected a defense of none, dp, {', '.join(_KINDS)}, got {name}")
    value = values[0] if values else 0.0
    if len(values) != (name != "sign") or not (math.isfinite(value) and kind.allows(value)):
        raise InvalidConfiguration(f"expected {kind.expected} for the defense {name}, got {part}")
    return [_Step(name, value)]


def _keep_largest(value: Tensor, count: int) -> Tensor:
    if count >= value.numel():
        return value
    kept = torch.zeros_like(value).flatten()
    if count:
        largest = value.flatten().abs().topk(count).indices
        kept[largest] = value.flatten()[largest]
    return kept.view_as(value)


def _normal(value: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randn(value.shape, generator=rng, dtype=torch.float64).to(value)
