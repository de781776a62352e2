"""Published attacks with their hyper-parameters."""

from dataclasses import replace

from semsim.exceptions import InvalidConfiguration
from semsim_training.attacks.attack_recipe import AttackRecipe, Labels
from semsim_training.attacks.initialisation import Initialisation
from semsim_training.attacks.objectives import Cosine, Euclidean, Manhattan, PerOutputCosine
from semsim_training.attacks.priors import BatchNormStatistics, GroupConsistency, Norm, Reference, TotalVariation
from semsim_training.attacks.schedules import Decay
from semsim_training.attacks.steppers import Optimiser, Sign

_DLG = "Zhu, Liu, Han: Deep Leakage from Gradients. NeurIPS 2019, arXiv 1906.08935"
_IDLG = "Zhao, Mopuri, Bilen: iDLG: Improved Deep Leakage from Gradients. 2020, arXiv 2001.02610"
_INVERTING = "Geiping et al.: Inverting Gradients. NeurIPS 2020, arXiv 2003.14053"
_SEMSIM = "Sun et al.: Privacy Assessment on Reconstructed Images. NeurIPS 2023, arXiv 2309.13038, code"
_MODERN = "Geiping et al.: breaching, attack `modern`"
_SEE_THROUGH = "Yin et al.: See Through Gradients. CVPR 2021, arXiv 2104.07586"

_SIGNED_ADAM = Optimiser("adam", 0.1, Sign.HARD)

_INVERSED = AttackRecipe(
    name="inversed",
    citation=_SEMSIM,
    objective=Cosine(),
    priors=(TotalVariation(1e-4),),
    optimiser=_SIGNED_ADAM,
    iterations=8000,
    decay=Decay.STEP,
)
_DEEP_LEAKAGE = AttackRecipe(
    name="dlg",
    citation=_DLG,
    objective=Euclidean(),
    optimiser=Optimiser("l-bfgs", 1.0),
    # The code takes 300 steps of up to 20 iterations each.
    iterations=6000,
    labels=Labels.OPTIMISED,
    boxed=False,
    retries=3,
)

PRESETS = {
    recipe.name: recipe
    for recipe in (
        _DEEP_LEAKAGE,
        replace(_DEEP_LEAKAGE, name="idlg", citation=_IDLG, labels=Labels.INFERRED),
        replace(
            _INVERSED,
            name="inverting-gradients",
            citation=_INVERTING,
            priors=(TotalVariation(1e-1),),
            iterations=24_000,
        ),
        _INVERSED,
        replace(_INVERSED, name="inversed-zero", initialisation=Initialisation.ZEROS, iterations=4800),
        replace(_INVERSED, name="inversed-per-output", objective=PerOutputCosine(), iterations=4800),
        replace(_INVERSED, name="inversed-sgd", optimiser=Optimiser("sgd", 0.1), iterations=4800),
        replace(_INVERSED, name="inversed-lbfgs", optimiser=Optimiser("l-bfgs", 1e-4), iterations=50),
        replace(_INVERSED, name="inversed-l1", objective=Manhattan(), iterations=4800),
        replace(_INVERSED, name="inversed-l2", objective=Euclidean(), iterations=4800),
        replace(_INVERSED, name="inversed-large", priors=(TotalVariation(1e-2),), iterations=12_000),
        replace(_INVERSED, name="inversed-cele", priors=(TotalVariation(1e-1),), iterations=12_000, restarts=3),
        AttackRecipe(
            name="modern",
            citation=_MODERN,
            objective=Cosine(),
            priors=(TotalVariation(0.1, inner=2.0, outer=0.5, double_opponents=True),),
            optimiser=Optimiser("adam", 0.1, Sign.SOFT),
            iterations=24_000,
            decay=Decay.COSINE,
            warmup=50,
            initialisation=Initialisation.PATTERNED,
        ),
        AttackRecipe(
            name="grad-inversion",
            citation=_SEE_THROUGH,
            objective=Euclidean(1e-4),
            priors=(TotalVariation(1e-4), Norm(1e-6), BatchNormStatistics(0.1), GroupConsistency(0.01)),
            optimiser=Optimiser("adam", 0.1),
            iterations=20_000,
            decay=Decay.COSINE,
            warmup=50,
            labels=Labels.INFERRED,
            langevin=0.01,
            restarts=4,
        ),
        replace(
            _INVERSED,
            name="smooth",
            citation="Inverting Gradients with a strong prior, from zeros, decaying by a cosine; for CPUs",
            priors=(TotalVariation(5e-2),),
            initialisation=Initialisation.ZEROS,
            decay=Decay.COSINE,
            iterations=1000,
        ),
        replace(
            _INVERSED,
            name="batch-statistics",
            citation="`smooth` held to the batch statistics that clients sent (Huang et al., NeurIPS 2021); for CPUs",
            priors=(TotalVariation(3.0), BatchNormStatistics(0.3, reference=Reference.BATCH)),
            initialisation=Initialisation.ZEROS,
            decay=Decay.COSINE,
            iterations=1000,
        ),
    )
}
"""By name. All but the closed forms, which are not searches: see ``closed_form`` and ``imprint``."""


def preset(name: str) -> AttackRecipe:
    """A published attack.

    Raises:
        InvalidConfiguration: no such attack.
    """
    if name not in PRESETS:
        raise InvalidConfiguration(f"expected an attack of {', '.join(PRESETS)}, got {name}")
    return PRESETS[name]
