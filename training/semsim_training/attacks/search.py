"""Attacks that search: many clients at once, each as if it were alone."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from semsim.exceptions import InvalidConfiguration
from semsim.progress import Progress, silent
from semsim_training.attacks.attack_recipe import AttackRecipe, Labels
from semsim_training.attacks.best_seen import BestSeen
from semsim_training.attacks.candidate_evaluation import Evaluated, Evaluation
from semsim_training.attacks.compilation import compiled
from semsim_training.attacks.initialisation import Initialisation, initial
from semsim_training.attacks.reconstruction import Reconstruction, Status
from semsim_training.attacks.schedules import factor
from semsim_training.attacks.winners import explained, share_of, winners
from semsim_training.client_images.normalisation import box
from semsim_training.observations.observation import Observation
from semsim_training.seeds import stable_hash


@dataclass(slots=True)
class SearchState:
    """The point that a search has reached, as tensors: all that it needs to go on."""

    iteration: int
    x: Tensor
    """The unknowns, ``(N, P)``: the candidates, and behind them the labels' logits where labels are searched."""
    diverged: Tensor
    """True for rows that left the finite numbers, ``(N,)``."""
    stepper: dict[str, Tensor]
    """The optimiser's state."""
    best: BestSeen | None = None
    """The best candidates so far; ``None`` where the last ones are the result."""

    def to(self, device: torch.device) -> Self:
        """The same state on a device."""
        stepper = {name: value.to(device) for name, value in self.stepper.items()}
        best = None if self.best is None else self.best.to(device)
        return type(self)(self.iteration, self.x.to(device), self.diverged.to(device), stepper, best)


@dataclass(frozen=True, slots=True)
class Options:
    """The way of computing. None of these changes what is searched for; ``seconds`` changes for how long.

    Raises:
        InvalidConfiguration: there is no time.
    """

    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    seconds: float | None = None
    """The time after which a search ends with the best candidates that it has seen, as it does where its iterations end
    first; ``None`` for the iterations of its recipe alone."""
    compile: bool = False
    """True to compile through TorchInductor, which takes minutes once; where that fails, the plain graph runs."""

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise InvalidConfiguration(f"expected more than 0 seconds, got {self.seconds}")


DEFAULT_OPTIONS = Options()
Save = Callable[[SearchState], None]


class Search:
    """A recipe on N observations of one victim; results do not depend on who else is in the batch."""

    def __init__(
        self,
        recipe: AttackRecipe,
        observations: Sequence[Observation],
        seeds: Sequence[int],
        options: Options = DEFAULT_OPTIONS,
    ) -> None:
        """Prepare the search; every observation has one of the ``seeds``.

        Raises:
            InvalidUpdate: the recipe cannot work on an observation, or one is unlike the others.
        """
        for observation in observations:
            recipe.check(observation)
        self._recipe, self._observations, self._seeds, self._options = recipe, observations, list(seeds), options
        self._device = torch.device(options.device)
        self._evaluation = Evaluation(recipe, observations, self._device, options.dtype)
        self._shape = tuple(self._evaluation.start(0).shape)
        self._unknowns = math.prod(self._shape)
        self._classes = observations[0].victim.inputs.classes
        low, high = box(observations[0].victim.inputs, options.dtype)
        self._low, self._high = low.to(self._device), high.to(self._device)
        given = torch.tensor([recipe.labels_for(observation) for observation in observations], device=self._device)
        self._labels = given.repeat_interleave(recipe.restarts, dim=0)
        self._evaluate: Callable[[Tensor, Tensor, Sequence[Tensor]], Evaluated] = self._evaluation
        self._began = time.monotonic()

    def run(
        self, state: SearchState | None = None, *, save: Save | None = None, save_every: int = 200,
        progress: Progress = silent,
    ) -> list[Reconstruction]:  # fmt: skip
        """Search, from the start or from a state; the winners in the order of the observations."""
        state = self.start(attempt=0) if state is None else state.to(self._device)
        results = self._finish(self.iterate(state, save, save_every, progress))
        for attempt in range(1, self._recipe.retries + 1):
            lost = [index for index, item in enumerate(results) if item.status is not Status.MATCHED]
            if not lost or self._late():
                break
            # Another search, from other seeds, tries only those again that diverged or stalled.
            seeds = [stable_hash(f"{self._seeds[index]}/retry {attempt}") for index in lost]
            again = Search(self._recipe, [self._observations[index] for index in lost], seeds, self._options)
            again._began = self._began
            retried = again._finish(again.iterate(again.start(attempt), None, save_every, silent))
            for index, item in zip(lost, retried, strict=True):
                better = item if share_of(item) > share_of(results[index]) else results[index]
                results[index] = replace(better, iterations=results[index].iterations + item.iterations)
        return results

    def start(self, attempt: int = 0) -> SearchState:
        """The first candidates, which follow from the seeds alone."""
        rows = []
        for seed in self._seeds:
            for restart in range(self._recipe.restarts):
                start_seed = stable_hash(f"{seed}/{attempt}/{restart}")
                rows.append(self._evaluation.start(start_seed).flatten())
                if self._searches_labels:
                    shape = (self._evaluation.images, 1, 1, self._classes)
                    labels = initial(Initialisation.NORMAL, shape, stable_hash(f"{start_seed}/labels"))
                    rows[-1] = torch.cat([rows[-1], labels.flatten()])
        x = torch.stack(rows).to(self._device, self._options.dtype)
        diverged = torch.zeros(len(x), dtype=torch.bool, device=self._device)
        return SearchState(0, x, diverged, {}, BestSeen.none(x) if self._keeps_best else None)

    def iterate(
        self, state: SearchState, save: Save | None = None, save_every: int = 200, progress: Progress = silent
    ) -> SearchState:
        """Search from a state to the end of the recipe's iterations, or of the time."""
        recipe = self._recipe
        if self._options.compile and state.iteration < recipe.iterations:
            self._evaluate = compiled(self._evaluation, *self._split(state.x), self._evaluation.targets)
        stepper = recipe.optimiser.start(state.x)
        if state.stepper:
            stepper.restore(state.stepper)
        x, diverged, best, done = state.x, state.diverged, state.best, state.iteration
        for iteration in range(state.iteration, recipe.iterations):
            if self._late():
                break
            gradient, total = self._gradient(x)
            if best is not None:
                best.see(x, total)
            rate = recipe.optimiser.rate * factor(recipe.decay, iteration, recipe.iterations, recipe.warmup)
            moved = stepper.step(x, recipe.optimiser.seen(gradient, iteration / recipe.iterations), total, rate)
            if recipe.langevin:
                moved.add_(self.noise(moved, iteration), alpha=rate * recipe.langevin)
            if recipe.boxed and recipe.decoder is None:
                self._put_into_the_box(moved, stepper.settled)
            # A sum is finite only where all its terms are. A lost row may spoil its own part of the optimiser.
            finite = moved.sum(dim=1).add_(total)
            diverged = diverged | (finite.sub_(finite) != 0)
            x = torch.where(diverged[:, None], x, moved)
            done = iteration + 1
            if save is not None and done % save_every == 0 and done < recipe.iterations:
                save(SearchState(done, x, diverged, stepper.state(), best))
            if done % 10 == 0 or done == recipe.iterations:
                progress("iterations", done, recipe.iterations)
        return SearchState(done, x, diverged, stepper.state(), best)

    def _late(self) -> bool:
        """True where the time for the search is over."""
        return self._options.seconds is not None and time.monotonic() - self._began > self._options.seconds

    def _gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of objective and priors by the unknowns, ``(N, P)``, and their sum, ``(N,)``."""
        evaluated = self._evaluate(*self._split(x), self._evaluation.targets)
        gradient = evaluated.by_images.flatten(1)
        if evaluated.by_labels is not None:
            gradient = torch.cat([gradient, evaluated.by_labels.flatten(1)], dim=1)
        return gradient, evaluated.total

    def noise(self, x: Tensor, iteration: int) -> Tensor:
        """The standard normal noise of an iteration, of the shape of ``x`` ``(N, P)``: a function of the seeds."""
        rows = [
            initial(Initialisation.NORMAL, (1, x.shape[1]), stable_hash(f"{seed}/{restart}/noise {iteration}"))
            for seed in self._seeds
            for restart in range(self._recipe.restarts)
        ]
        return torch.cat(rows).to(x)

    def _finish(self, state: SearchState) -> list[Reconstruction]:
        x, lost = state.x, state.diverged
        if state.best is not None:
            state.best.see(x, self._evaluate(*self._split(x), self._evaluation.targets).total)
            x, lost = state.best.x, ~torch.isfinite(state.best.total)
        images, labels = self._split(x)
        objective = self._evaluate(images, labels, self._evaluation.targets).objective
        images = self._evaluation.images_of(images).detach()
        chosen = labels.argmax(dim=-1) if self._searches_labels else labels
        won = winners(self._observations, images, chosen, objective, lost, self._evaluation.path)
        told = explained(self._observations, won, self._evaluation.simulated)
        return [replace(item, iterations=state.iteration) for item in told]

    @property
    def _keeps_best(self) -> bool:
        """True where the result is the best candidate seen; also where time may end the search anywhere."""
        return self._recipe.keeps_best or self._options.seconds is not None

    @property
    def _searches_labels(self) -> bool:
        return self._recipe.labels is Labels.OPTIMISED

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The images ``(N, images, C, H, W)``, or what a decoder makes them of, and the labels that the rows hold."""
        images = x[:, : self._unknowns].unflatten(1, self._shape)
        if self._searches_labels:
            return images, x[:, self._unknowns :].unflatten(1, (self._evaluation.images, self._classes))
        return images, self._labels

    def _put_into_the_box(self, x: Tensor, settled: Tensor | None) -> None:
        """Clamp the images of ``x`` ``(N, P)``, or of its ``settled`` rows, to what 8-bit images can be, in place."""
        images = x[:, : self._unknowns].unflatten(1, self._evaluation.shape)
        if settled is None:
            torch.clamp(images, self._low, self._high, out=images)
        else:
            chosen = settled[:, None, None, None, None]
            images.copy_(torch.where(chosen, torch.clamp(images, self._low, self._high), images))
