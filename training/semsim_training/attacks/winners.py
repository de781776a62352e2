"""The end of a search: each client's best start, and what its images explain."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from semsim_training.attacks.explanation import explanations, status_of
from semsim_training.attacks.reconstruction import Explanation, Reconstruction, Status
from semsim_training.attacks.simulation import Simulation, tried_path
from semsim_training.client_images.normalisation import to_images
from semsim_training.observations.observation import Observation


def winners(
    observations: Sequence[Observation], images: Tensor, labels: Tensor, objective: Tensor, lost: Tensor, path: str
) -> list[Reconstruction]:
    """The start with the least objective of each client, not yet explained; ``diverged`` where all starts are lost.

    The rows of ``images`` ``(N, images, C, H, W)``, ``labels`` ``(N, images)``, ``objective`` ``(N,)`` and ``lost``
    ``(N,)`` are the starts, those of one observation behind each other.
    """
    lost = lost | ~torch.isfinite(objective)
    ranked = torch.where(lost, torch.inf, objective).unflatten(0, (len(observations), -1)).cpu()
    results = []
    for index, observation in enumerate(observations):
        winner = index * ranked.shape[1] + int(ranked[index].argmin())
        failed = bool(lost[winner])
        results.append(
            Reconstruction(
                images=to_images(images[winner].nan_to_num(), observation.victim.inputs),
                status=Status.DIVERGED if failed else Status.NOTHING_FOUND,
                objective=float("nan") if failed else float(objective[winner]),
                labels=tuple(int(label) for label in labels[winner].tolist()),
                explanation=None,
                path=path,
            )
        )
    return results


def explained(
    observations: Sequence[Observation], results: Sequence[Reconstruction], simulated: Simulation
) -> list[Reconstruction]:
    """The results with the part of each update that they explain, and the status that follows; diverged ones as is."""
    told = list(results)
    rest = [index for index, result in enumerate(results) if result.status is not Status.DIVERGED]
    if rest:
        shares = explanations(
            [observations[index] for index in rest],
            [results[index].images for index in rest],
            [results[index].labels for index in rest],
            simulated,
        )
        for index, explanation in zip(rest, shares, strict=True):
            status = status_of(explanation)
            if status is not Status.MATCHED:
                explanation = _with_doubt(explanation, tried_path(observations[index]).doubt)
            told[index] = replace(results[index], explanation=explanation, status=status)
    return told


def share_of(result: Reconstruction) -> float:
    """The share of the update that a result explains; minus infinity where it diverged, or where the share is NaN."""
    share = math.nan if result.explanation is None else result.explanation.share
    return -math.inf if math.isnan(share) else share


def _with_doubt(explanation: Explanation, doubt: str) -> Explanation:
    return replace(explanation, hint=" ".join(filter(None, (explanation.hint, doubt))))
