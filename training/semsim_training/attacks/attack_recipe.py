"""An attack that searches, composed of an objective, priors, an optimiser and the rest."""

from dataclasses import dataclass
from enum import StrEnum

from semsim.exceptions import InvalidUpdate
from semsim_training.attacks.decoder import Decoder
from semsim_training.attacks.features import require_features
from semsim_training.attacks.initialisation import Initialisation
from semsim_training.attacks.labels import infer_labels, require_labels
from semsim_training.attacks.objectives import Objective
from semsim_training.attacks.priors import BatchNormStatistics, FeatureMatching, Prior, Reference
from semsim_training.attacks.schedules import Decay
from semsim_training.attacks.steppers import Optimiser
from semsim_training.gradients.attackable import has_batchnorm
from semsim_training.observations.observation import Observation


class Labels(StrEnum):
    """The source of the labels that an attack uses."""

    KNOWN_OR_INFERRED = "known-or-inferred"
    """The observation's labels; where it has none, labels recovered from the update before the search."""
    INFERRED = "inferred"
    """Labels recovered from the update, also where the observation has them."""
    OPTIMISED = "optimised"
    """Probabilities, which are searched together with the images (DLG)."""


@dataclass(frozen=True, slots=True)
class AttackRecipe:
    """An attack that searches for images whose update is the observed one."""

    name: str
    objective: Objective
    optimiser: Optimiser
    iterations: int
    priors: tuple[Prior, ...] = ()
    decay: Decay = Decay.CONSTANT
    warmup: int = 0
    initialisation: Initialisation = Initialisation.NORMAL
    labels: Labels = Labels.KNOWN_OR_INFERRED
    boxed: bool = True
    """True where candidates are kept in the range of 8-bit images after every step; decoders keep them there anyway."""
    decoder: Decoder | None = None
    """The images of the unknowns, where these are no pixels; the decoder then says where a search begins."""
    langevin: float = 0.0
    """The standard deviation of the normal noise that every step adds, as a share of its rate (Yin et al., 2021)."""
    keeps_best: bool = False
    """True where the best candidate that was seen is the result, False where the last one is."""
    restarts: int = 1
    """The number of independent starts; the one with the best objective wins."""
    retries: int = 0
    """The number of further attempts, with other starts, for a client whose update the images do not match: its search
    diverged or stalled. The better result is kept."""

    @property
    def references(self) -> frozenset[Reference]:
        """The statistics that the priors compare with."""
        return frozenset(prior.reference for prior in self.priors if isinstance(prior, BatchNormStatistics))

    @property
    def matches_features(self) -> bool:
        """True where a prior compares the last layer's inputs."""
        return any(isinstance(prior, FeatureMatching) for prior in self.priors)

    def infers_labels(self, observation: Observation) -> bool:
        """True where the labels come from the update."""
        unknown = self.labels is Labels.KNOWN_OR_INFERRED and observation.labels is None
        return unknown or self.labels is Labels.INFERRED

    def labels_for(self, observation: Observation) -> tuple[int, ...]:
        """The labels that the search works with; none where it searches for them.

        Raises:
            InvalidUpdate: they cannot be inferred.
        """
        if self.labels is Labels.OPTIMISED:
            return ()
        if self.infers_labels(observation) or observation.labels is None:
            return infer_labels(observation)
        return observation.labels

    def check(self, observation: Observation) -> None:
        """Refuse an observation that the attack cannot work on, before any work.

        Raises:
            InvalidUpdate: the observation lacks what the attack needs.
        """
        if self.decoder is not None:
            self.decoder.check((observation.images, *observation.victim.inputs.shape))
        if self.references and not has_batchnorm(observation.victim.model):
            raise InvalidUpdate(
                f"expected a victim with batch normalisation for the attack {self.name}, got {observation.victim.name}"
            )
        if Reference.BATCH in self.references and not observation.update.running_statistics:
            raise InvalidUpdate(
                f"expected a client that sends the running statistics of its batch normalisation, in training mode, "
                f"for the attack {self.name}, got none"
            )
        if self.infers_labels(observation):
            require_labels(observation)
        if self.matches_features:
            require_features(observation)
        if self.labels is Labels.OPTIMISED and observation.gradient is None:
            raise InvalidUpdate(
                f"expected a gradient or the delta of one step of SGD for the attack {self.name}, got "
                f"{observation.update.local_training}"
            )
