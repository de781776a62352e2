"""The objective of candidates and its gradient, for a batch of clients of one victim."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semsim.exceptions import InvalidUpdate
from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.features import FeatureRecorder, implied_features
from semsim_training.attacks.initialisation import initial
from semsim_training.attacks.normalised_steps import objective_against
from semsim_training.attacks.priors import Candidates, Reference
from semsim_training.attacks.simulation import simulation
from semsim_training.client_images.normalisation import box
from semsim_training.gradients.attackable import batchnorm_layers
from semsim_training.gradients.batchnorm import ChannelStatistics
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.batch_statistics import batch_statistics
from semsim_training.observations.observation import Observation


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The results of one evaluation; each candidate has a row."""

    objective: Tensor
    """The distances between the updates, ``(N,)``, without priors."""
    total: Tensor
    """The objective plus the priors, ``(N,)``."""
    by_images: Tensor
    """The gradient of the total by the images, or by the unknowns that a decoder makes them of, of their shape."""
    by_labels: Tensor | None
    """The gradient of the total by the labels' logits; ``None`` where labels are not searched."""


class Evaluation:
    """A recipe on clients that share a victim and a way of training; each restart of each client has a row."""

    def __init__(
        self, recipe: AttackRecipe, observations: Sequence[Observation], device: torch.device, dtype: torch.dtype
    ) -> None:
        """The observations must agree in everything but their tensors and labels.

        Raises:
            InvalidUpdate: the observations differ in something else.
        """
        first = observations[0]
        if len({_kind(observation) for observation in observations}) > 1:
            raise InvalidUpdate("expected observations of one victim, update, number of images and batch normalisation")
        self.recipe, self.images = recipe, first.images
        self.shape = (first.images, *first.victim.inputs.shape)
        self._black, self._white = (end.to(device) for end in box(first.victim.inputs, dtype))
        self.simulated = simulation(first, len(observations) * recipe.restarts)
        """The client's computation, on the device of the search."""
        self.simulated.network.to(device, dtype)
        layers = batchnorm_layers(self.simulated.network)
        for layer in layers:
            layer.record = bool(recipe.references)
        self._running = [
            ChannelStatistics(layer.get_buffer("running_mean")[None], layer.get_buffer("running_var")[None])
            for layer in layers
        ]

        def stacked(values: Iterable[Tensor]) -> Tensor:
            return torch.stack(list(values)).to(device, dtype).repeat_interleave(recipe.restarts, dim=0)

        updates = [seen.target for seen in observations]
        tensors = [stacked(update[name] for update in updates) for name in self.simulated.names]
        self._objective = objective_against(first.update.local_training, recipe.objective)
        self.targets = self._objective.prepare(self.simulated.lay_out(tensors))
        self._terms = len(self.targets)
        # Behind the gradients, so that a compiled evaluation takes all that clients differ in as arguments.
        self._recorder: FeatureRecorder | None = None
        if recipe.matches_features:
            self._recorder = FeatureRecorder(first.victim, self.simulated.network)
            implied = [implied_features(observation, recipe.labels_for(observation)) for observation in observations]
            self.targets.append(stacked(implied))
        if Reference.BATCH in recipe.references:
            for clients in zip(*(batch_statistics(observation) for observation in observations), strict=True):
                self.targets.append(stacked(one.mean for one in clients))
                self.targets.append(stacked(one.variance for one in clients))

    @property
    def path(self) -> str:
        """The way in which gradients are computed."""
        return self.simulated.path

    def start(self, seed: int) -> Tensor:
        """The first unknowns of one client, in float64: a function of the seed alone."""
        if self.recipe.decoder is None:
            return initial(self.recipe.initialisation, self.shape, seed)
        return self.recipe.decoder.start(self.shape, seed)

    def images_of(self, unknowns: Tensor) -> Tensor:
        """The candidates ``(N, images, C, H, W)``, normalised, that unknowns ``(N, ...)`` stand for."""
        if self.recipe.decoder is None:
            return unknowns
        return self.recipe.decoder(unknowns, self.shape) * (self._white - self._black) + self._black

    def __call__(self, unknowns: Tensor, labels: Tensor, targets: Sequence[Tensor]) -> Evaluated:
        """Evaluate unknowns ``(N, ...)``, of the shape that :meth:`start` gives for one client.

        ``labels`` are classes ``(N, images)``, or logits ``(N, images, classes)`` of probabilities to search.
        """
        unknowns = unknowns.detach().requires_grad_()
        searched = labels.is_floating_point()
        if searched:
            labels = labels.detach().requires_grad_()
        with torch.enable_grad():
            images = self.images_of(unknowns)
            given = labels.softmax(dim=-1) if searched else labels
            terms = self.simulated(images.flatten(0, 1), given.flatten(0, 1))
            objective = self._objective(terms, targets[: self._terms])
            candidates = self._candidates(unknowns, images, targets[self._terms :])
            total = objective
            for prior in self.recipe.priors:
                total = total + prior(candidates)
            wanted = (unknowns, labels) if searched else (unknowns,)
            gradients = torch.autograd.grad(total.sum(), wanted)
        return Evaluated(objective.detach(), total.detach(), gradients[0], gradients[1] if searched else None)

    def _candidates(self, unknowns: Tensor, images: Tensor, others: Sequence[Tensor]) -> Candidates:
        """The candidates as priors see them; ``others`` are the targets beside the gradients."""
        features = observed_features = None
        if self._recorder is not None:
            observed_features, *others = others
            again = self.path != "shared weights"
            features = self._recorder.features(images.flatten(0, 1), again=again).unflatten(0, images.shape[:2])
        sent = [ChannelStatistics(*pair) for pair in zip(others[::2], others[1::2], strict=True)]
        return Candidates(
            images,
            self.recipe.restarts,
            self.simulated.statistics() if self.recipe.references else (),
            {Reference.TRAINING: self._running, Reference.BATCH: sent},
            features,
            observed_features,
            unknowns,
        )


def _kind(observation: Observation) -> tuple[int, LocalTraining | None, int, str]:
    """The properties that all observations of an evaluation share."""
    return (
        id(observation.victim.model),
        observation.update.local_training,
        observation.images,
        observation.batchnorm,
    )
