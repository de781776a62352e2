"""Published searches with their hyper-parameters."""

from typing import Any

from semsim.exceptions import InvalidConfiguration
from semsim_training.attacks.attack_recipe import AttackRecipe, Labels
from semsim_training.attacks.catalogue import ATTACKS
from semsim_training.attacks.initialisation import Initialisation
from semsim_training.attacks.objectives import Cosine, Euclidean, Manhattan, PerOutputCosine
from semsim_training.attacks.priors import BatchNormStatistics, GroupConsistency, Norm, Reference, TotalVariation
from semsim_training.attacks.schedules import Decay
from semsim_training.attacks.steppers import Optimiser, Sign


def _named(name: str, **parts: Any) -> AttackRecipe:
    """A recipe of the length that the catalogue gives its name."""
    return AttackRecipe(name=name, iterations=ATTACKS[name].iterations or 0, **parts)


def _deep_leakage(name: str, labels: Labels) -> AttackRecipe:
    optimiser = Optimiser("l-bfgs", 1.0)
    return _named(name, objective=Euclidean(), optimiser=optimiser, labels=labels, boxed=False, retries=3)


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
        _inversed("inversed-per-output", objective=PerOutputCosine()),
        _inversed("inversed-sgd", optimiser=Optimiser("sgd", 0.1)),
        _inversed("inversed-lbfgs", optimiser=Optimiser("l-bfgs", 1e-4)),
        _inversed("inversed-l1", objective=Manhattan()),
        _inversed("inversed-l2", objective=Euclidean()),
        _inversed("inversed-large", 1e-2),
        _inversed("inversed-cele", 1e-1, restarts=3),
        _named(
            "modern",
            objective=Cosine(),
            priors=(TotalVariation(0.1, inner=2.0, outer=0.5, double_opponents=True),),
            optimiser=Optimiser("adam", 0.1, Sign.SOFT),
            decay=Decay.COSINE,
            warmup=50,
            initialisation=Initialisation.PATTERNED,
        ),
        _named(
            "grad-inversion",
            objective=Euclidean(1e-4),
            priors=(TotalVariation(1e-4), Norm(1e-6), BatchNormStatistics(0.1), GroupConsistency(0.01)),
            optimiser=Optimiser("adam", 0.1),
            decay=Decay.COSINE,
            warmup=50,
            labels=Labels.INFERRED,
            langevin=0.01,
            restarts=4,
        ),
        _inversed("smooth", 5e-2, initialisation=Initialisation.ZEROS, decay=Decay.COSINE),
        _inversed(
            "batch-statistics",
            priors=(TotalVariation(3.0), BatchNormStatistics(0.3, reference=Reference.BATCH)),
            initialisation=Initialisation.ZEROS,
            decay=Decay.COSINE,
        ),
    )
}
"""The searches by name. The closed forms of the catalogue are functions of ``closed_form``."""


def preset(name: str) -> AttackRecipe:
    """A published search.

    Raises:
        InvalidConfiguration: no search has this name.
    """
    if name not in PRESETS:
        raise InvalidConfiguration(f"expected an attack of {', '.join(PRESETS)}, got {name}")
    return PRESETS[name]
