"""All that a recipe is composed of, under one import for authors of attacks."""

from semsim_training.attacks.attack_plug_ins import AttackFunction, reconstruction_of
from semsim_training.attacks.attack_recipe import AttackRecipe, Labels
from semsim_training.attacks.decoder import Decoder
from semsim_training.attacks.initialisation import Initialisation
from semsim_training.attacks.objectives import Cosine, Euclidean, Manhattan, Objective, PerOutputCosine
from semsim_training.attacks.priors import (
    BatchNormStatistics,
    BorderedTotalVariation,
    Candidates,
    FeatureMatching,
    GroupConsistency,
    Norm,
    Prior,
    Reference,
    TotalVariation,
)
from semsim_training.attacks.schedules import Decay
from semsim_training.attacks.steppers import Optimiser, Sign
from semsim_training.gradients.terms import GradientTerm

__all__ = [
    "AttackFunction", "AttackRecipe", "BatchNormStatistics", "BorderedTotalVariation", "Candidates", "Cosine", "Decay",
    "Decoder", "Euclidean", "FeatureMatching", "GradientTerm", "GroupConsistency", "Initialisation", "Labels",
    "Manhattan", "Norm", "Objective", "Optimiser", "PerOutputCosine", "Prior", "Reference", "Sign", "TotalVariation",
    "reconstruction_of",
]  # fmt: skip
