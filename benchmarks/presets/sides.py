"""The same clients, starts and noise for a preset and for the loop written after its source."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.presets import reference_loops as loops
from benchmarks.presets.reference_loops import VISITED, Config, Problem, Walk
from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.presets import preset
from semsim_training.attacks.reconstruction import Reconstruction
from semsim_training.attacks.search import Options, Search, SearchState
from semsim_training.client_images.normalisation import box, to_images
from semsim_training.observations.observation import Observation

ROUND = 20
"""The iterations of one step of ``torch.optim.LBFGS``."""
INVERTING = {
    "inverting-gradients": Config(total_variation=1e-1),
    "inversed": Config(),
    "inversed-zero": Config(),
    "inversed-per-output": Config(cost_fn="out_sim"),
    "inversed-sgd": Config(optim="sgd"),
    "inversed-lbfgs": Config(optim="LBFGS", lr_decay=False),
    "inversed-l1": Config(cost_fn="l1"),
    "inversed-l2": Config(cost_fn="l2"),
    "inversed-large": Config(total_variation=1e-2),
    "inversed-cele": Config(total_variation=1e-1),
}
"""The configurations of the presets that come from Inverting Gradients' code."""
SOURCED = ("dlg", "idlg", *INVERTING, "modern", "grad-inversion")
"""The presets that have a source; the others are ours."""


@dataclass(frozen=True)
class Comparison:
    """A preset and its loop on the same clients."""

    ours: Sequence[Reconstruction]
    theirs: Sequence[NDArray[np.uint8]]
    """The loop's images, ``(1, H, W, C)`` each."""
    apart: float
    """The largest difference of an unknown over the start and the first 20 steps."""


def compare(
    name: str, observations: Sequence[Observation], iterations: int, restarts: int, dtype: torch.dtype
) -> Comparison:
    """Run both; ``iterations`` of L-BFGS are whole rounds. A group of GradInversion has one member, as in breaching."""
    recipe = replace(preset(name), iterations=iterations, retries=0, restarts=restarts)
    search = Search(recipe, observations, range(len(observations)), Options(dtype=dtype))
    start = search.start()
    points = [start.x]

    def keep(state: SearchState) -> None:
        if len(points) < VISITED:
            points.append(state.x.clone())

    ours = search.run(start, save=keep, save_every=1)
    theirs, apart = [], 0.0
    for client, observation in enumerate(observations):
        walks = []
        for row in range(client * restarts, (client + 1) * restarts):
            noise = partial(_noise_of, search, start.x, row)
            walks.append(_walk(recipe, _problem(observation, dtype, noise), start.x[row], observation))
            pairs = zip(points, walks[-1].visited, strict=False)
            apart = max(apart, *(float((mine[row] - other).abs().max()) for mine, other in pairs))
        best = min(walks, key=lambda walk: walk.score)
        theirs.append(to_images(best.end.nan_to_num(), observation.victim.inputs))
    return Comparison(ours, theirs, apart)


def one_client(
    recipe: AttackRecipe, observation: Observation, dtype: torch.dtype
) -> tuple[Callable[[], object], Callable[[], object]]:
    """The search of one client alone, and the loop; both are prepared and ran once before."""
    search = Search(recipe, [observation], [0], Options(dtype=dtype))
    start = search.start()
    problem = _problem(observation, dtype, partial(_noise_of, search, start.x, 0))
    sides = partial(search.iterate, start), partial(_walk, recipe, problem, start.x[0], observation)
    for side in sides:
        side()
    return sides


def _noise_of(search: Search, x: Tensor, row: int, iteration: int) -> Tensor:
    return search.noise(x, iteration)[row]


def _problem(observation: Observation, dtype: torch.dtype, noise: Callable[[int], Tensor]) -> Problem:
    model = copy.deepcopy(observation.victim.model).to(dtype).eval()
    gradient = [observation.update.tensors[name].to(dtype) for name, _ in model.named_parameters()]
    shape = (1, *observation.victim.inputs.shape)
    label = torch.tensor(observation.labels)
    low, high = box(observation.victim.inputs, dtype)
    return Problem(model, gradient, label, low, high, lambda iteration: noise(iteration).reshape(shape))


def _walk(recipe: AttackRecipe, problem: Problem, row: Tensor, observation: Observation) -> Walk:
    pixels = int(np.prod(observation.victim.inputs.shape))
    image = row[:pixels].reshape(1, *observation.victim.inputs.shape)
    match recipe.name:
        case "dlg":
            return loops.deep_leakage(problem, image, recipe.iterations // ROUND, row[None, pixels:])
        case "idlg":
            return loops.deep_leakage(problem, image, recipe.iterations // ROUND, None)
        case "modern":
            return loops.modern(problem, image, recipe.iterations)
        case "grad-inversion":
            return loops.see_through(problem, image, recipe.iterations)
        case _:
            rounds = recipe.iterations // (recipe.optimiser.inner or 1)
            return loops.inverting(problem, image, rounds, INVERTING[recipe.name])
