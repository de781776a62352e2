"""Published searches with their hyper-parameters."""

from typing import Any

from semsim.exceptions import InvalidConfiguration
from semsim_training.attacks.attack_recipe import AttackRecipe, Labels
from semsim_training.attacks.catalogue import ATTACKS
from semsim_training.attacks.generative.generative_presets import GENERATIVE_PRESETS
from semsim_training.attacks.initialisation import Initialisation
from semsim_training.attacks.objectives import Cosine, Euclidean, Manhattan, PerOutputCosine
from semsim_training.attacks.priors import (
    BatchNormStatistics,
    BorderedTotalVariation,
    FeatureMatching,
    GroupConsistency,
    Norm,
    Reference,
    TotalVariation,
)
from semsim_training.attacks.schedules import Decay
from semsim_training.attacks.steppers import Optimiser, Sign


def _named(name: str, **parts: Any) -> AttackRecipe:
    """A recipe of the length that the catalogue gives its name."""
    return AttackRecipe(name=name, iterations=ATTACKS[name].iterations or 0, **parts)


def _deep_leakage(name: str, labels: Labels) -> AttackRecipe:
    # The codes return the last candidate; the best one that was seen is never worse.
    return _named(
        name,
        objective=Euclidean(),
        optimiser=Optimiser("l-bfgs", 1.0),
        labels=labels,
        boxed=False,
        keeps_best=True,
        retries=3,
    )


def _inversed(name: str, total_variation: float = 1e-4, **changes: Any) -> AttackRecipe:
    """Inverting Gradients as the SemSim paper's code runs it, and what a variant changes about it."""
    usual = {
        "objective": Cosine(),
        "priors": (TotalVariation(total_variation),),
        "optimiser": Optimiser("adam", 0.1, Sign.HARD),
        "decay": Decay.STEP,
    }
    return _named(name, **usual | changes)


PRESETS = {
    recipe.name: recipe
    for recipe in (
        _deep_leakage("dlg", Labels.OPTIMISED),
        _deep_leakage("idlg", Labels.INFERRED),
        _inversed("inverting-gradients", 1e-1),
        _inversed("inversed"),
        _inversed("inversed-zero", initialisation=Initialisation.ZEROS),
        _inversed("inversed-per-output", objective=PerOutputCosine(), initialisation=Initialisation.ZEROS),
        # The code does not use its configuration's rate of 0.1 here.
        _inversed("inversed-sgd", optimiser=Optimiser("sgd", 0.01, Sign.HARD)),
        _inversed(
            "inversed-lbfgs",
            optimiser=Optimiser("l-bfgs", 1e-4, Sign.HARD, inner=20),
            decay=Decay.CONSTANT,
            restarts=16,
        ),
        _inversed("inversed-l1", objective=Manhattan()),
        _inversed("inversed-l2", objective=Euclidean()),
        _inversed("inversed-large", 1e-2),
        _inversed("inversed-cele", 1e-1, restarts=3),
        _named(
            "modern",
            objective=Cosine(),
            priors=(
                BorderedTotalVariation(0.1, inner=2.0, outer=0.5, double_opponents=True),
                FeatureMatching(0.1),
            ),
            optimiser=Optimiser("adam", 0.1, Sign.SOFT),
            decay=Decay.COSINE,
            warmup=50,
            initialisation=Initialisation.PATTERNED,
            keeps_best=True,
        ),
        _named(
            "grad-inversion",
            objective=Euclidean(0.5e-4),
            priors=(
                BorderedTotalVariation(1e-4),
                Norm(1e-6),
                BatchNormStatistics(0.1, first=10.0),
                GroupConsistency(0.01),
            ),
            optimiser=Optimiser("adam", 0.1),
            decay=Decay.COSINE,
            warmup=50,
            labels=Labels.INFERRED,
            langevin=0.2,
            keeps_best=True,
            restarts=4,
        ),
        _inversed("smooth", 5e-2, initialisation=Initialisation.ZEROS, decay=Decay.COSINE),
        _inversed(
            "batch-statistics",
            priors=(TotalVariation(3.0), BatchNormStatistics(0.3, reference=Reference.BATCH)),
            initialisation=Initialisation.ZEROS,
            decay=Decay.COSINE,
        ),
        *GENERATIVE_PRESETS,
    )
}
"""The searches by name. The closed forms of the catalogue are functions of ``closed_form`` and ``loki``."""


def preset(name: str) -> AttackRecipe:
    """A published search.

    Raises:
        InvalidConfiguration: no search has this name.
    """
    if name not in PRESETS:
        raise InvalidConfiguration(f"expected an attack of {', '.join(PRESETS)}, got {name}")
    return PRESETS[name]
