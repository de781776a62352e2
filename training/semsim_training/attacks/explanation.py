"""The part of an update that an attack's images explain, which is all that an attacker can know of its success."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from semsim_training.attacks.entry_marks import contradicts_sgd
from semsim_training.attacks.hints import hint
from semsim_training.attacks.label_pairing import ComparedPart, paired_labels
from semsim_training.attacks.reconstruction import Explanation, Status
from semsim_training.attacks.simulation import Simulation, simulation
from semsim_training.client_images.normalisation import normalise
from semsim_training.observations.observation import Observation

_NOISY = _SMOOTH = 2
"""The numbers of random images that a result is compared with: of uniform noise, and of smooth colours."""
_MATCHED = 0.9
"""The gain from which images count as a match.

LeNet, 200 iterations of ``smooth``: gains of .96 to .99 go with 15 to 25 dB, gains of .88 and .89 with 12 and 14 dB.
Share alone does not tell them apart: all of them are above .96, because labels alone explain .6 to .85 there. Of 20
first searches of DLG and iDLG, 15 gain .997 or more with 23 dB or more, and 5 gain less than .6 with 10 dB or less.
Closed forms reach 1. Inverting Gradients on a trained ResNet20 gains .3 to .75 in 150 iterations.
"""
_MORE = 0.1
"""The gain from which images count as more than random ones.

The original itself gains .5 to .9 of an update with noise or pruning that destroys half of its energy.
"""


@dataclass(frozen=True, slots=True)
class _Compared:
    """The updates that N clients' images make, beside the observed ones; each ``(N,)`` on the CPU, in float64."""

    dot: Tensor
    made: Tensor
    """The squared norms of the updates that the images make."""
    apart: Tensor
    """The squared norms of the differences."""
    observed: Tensor
    """The squared norms of the observed updates."""

    @property
    def share(self) -> Tensor:
        """The share explained at scale 1."""
        return 1 - self.apart / self.observed

    @property
    def cosine(self) -> Tensor:
        """The cosine; 0 where the images make no update."""
        norms = (self.made * self.observed).sqrt()
        return torch.where(norms > 0, self.dot / norms, 0.0)

    @property
    def scale(self) -> Tensor:
        """The factor, at least 0, that brings the images' update nearest to the observed one."""
        return torch.where(self.made > 0, self.dot / self.made, 0.0).clamp_min(0)

    @property
    def scaled(self) -> Tensor:
        """The share explained at the best scale."""
        return self.cosine.clamp_min(0).square()


def explanations(
    observations: Sequence[Observation],
    images: Sequence[NDArray[np.uint8]],
    labels: Sequence[Sequence[int]],
    simulated: Simulation | None = None,
    part: ComparedPart | None = None,
) -> list[Explanation]:
    """The part of each observation's update that its ``images`` ``(images, H, W, C)`` with their ``labels`` explain.

    The images are the 8-bit ones that an attack gives out, so that rounding counts, and so that labels that were
    searched for as probabilities count as the classes that they are given out as. Random images have the same labels:
    what labels alone explain is no merit of the images. Images whose label is -1 are paired with the client's labels.
    Observations share a victim and a way of training; all are computed together, by ``simulated`` where the caller has
    the client's computation already.

    Raises:
        InvalidUpdate: labels are -1 and cannot be inferred from the update.
        InvalidVictim: the victim's gradients cannot be computed as attacks do.
    """
    first = observations[0]
    simulated = simulation(first) if simulated is None else simulated
    parameter = next(simulated.network.parameters())
    updates = [seen.target for seen in observations]
    targets = simulated.lay_out([torch.stack([u[name] for u in updates]).to(parameter) for name in simulated.names])
    paired = [paired_labels(*client, part) for client in zip(observations, images, labels, strict=True)]
    given = torch.tensor(paired, device=parameter.device).flatten()

    def compared(pixels: Tensor) -> _Compared:
        return _compared(simulated, pixels.to(parameter), given, targets, part)

    pixels = torch.stack([normalise(made, first.victim.inputs) for made in images])
    result, zero = compared(pixels), compared(torch.zeros_like(pixels))
    random = [
        compared(normalise(one, first.victim.inputs)[None].expand_as(pixels)) for one in _random_images(images[0].shape)
    ]
    explained = []
    for index, observation in enumerate(observations):
        explanation = _explanation(result, zero, random, index, contradicts_sgd(observation))
        norm = max(float(other.made[index]) for other in random) ** 0.5
        cosine = max(float(other.cosine[index]) for other in random)
        told = hint(observation, explanation, float(result.scale[index]), norm, cosine)
        explained.append(replace(explanation, hint=told))
    return explained


def status_of(explanation: Explanation) -> Status:
    """The status that an explanation stands for."""
    # NaN is less, too: the victim's gradient of the images is not finite.
    if explanation.contradicted or not explanation.gain >= _MORE:
        return Status.NOTHING_FOUND
    # Images that explain the update at another scale only do not make the update that was observed.
    return Status.MATCHED if explanation.gain >= _MATCHED and explanation.scale == 1 else Status.PARTLY


def _explanation(
    result: _Compared, zero: _Compared, random: Sequence[_Compared], index: int, contradicted: bool
) -> Explanation:
    """The explanation of one client's update, at scale 1 or, where it says nothing there, at the best scale.

    An attacker does not know of an update whether it was clipped or reduced to signs. At scale 1 the original itself
    then explains less than random images do: -1900 against -390, for a clipped update of LeNet. No other scale counts
    for an update that the declared training cannot have made: its direction is another, too.
    """
    plain, scaled = (
        Explanation(
            share=float(getattr(result, kind)[index]),
            cosine=float(result.cosine[index]),
            zero=float(getattr(zero, kind)[index]),
            random=max(float(getattr(other, kind)[index]) for other in random),
            scale=1.0 if kind == "share" else float(result.scale[index]),
            contradicted=contradicted,
        )
        for kind in ("share", "scaled")
    )
    return scaled if not contradicted and plain.gain < _MORE <= scaled.gain else plain


def _compared(
    simulated: Simulation, pixels: Tensor, labels: Tensor, targets: Sequence[Tensor], part: ComparedPart | None
) -> _Compared:
    """The updates of images ``(N, images, C, H, W)`` beside the targets, laid out as the simulation does."""
    with torch.enable_grad():
        terms = simulated(pixels.flatten(0, 1).detach().clone().requires_grad_(), labels)
    sums = []
    for name, term, target in zip(simulated.names, terms, targets, strict=True):
        if part is not None and name != part.name:
            continue
        made = term.dense().detach()
        if part is not None:
            made, target = part.seen(made), part.seen(target)
        # Not from products: near a match the difference is far smaller than the norms.
        parts = (made * target, made.square(), (made - target).square(), target.square())
        sums.append(torch.stack([part.sum(dim=(1, 2), dtype=torch.float64) for part in parts]))
    return _Compared(*torch.stack(sums).sum(dim=0).cpu())


def _random_images(shape: tuple[int, ...]) -> list[NDArray[np.uint8]]:
    """Random images of a shape ``(images, H, W, C)``, the same in every call."""
    count, height, width, channels = shape
    rng = np.random.default_rng(0)
    noisy = [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(_NOISY)]
    coarse = torch.from_numpy(rng.uniform(0, 255, (_SMOOTH * count, channels, 4, 4)))
    smooth = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=True)
    levels = smooth.permute(0, 2, 3, 1).round().to(torch.uint8).numpy()
    return [*noisy, *np.split(levels, _SMOOTH)]
