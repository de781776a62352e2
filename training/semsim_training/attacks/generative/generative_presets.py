"""The searches with generative priors, with the hyper-parameters of their authors' code."""

from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.catalogue import ATTACKS
from semsim_training.attacks.generative.code_divergence import CodeDivergence
from semsim_training.attacks.generative.estimated_defense import DefendedEuclidean
from semsim_training.attacks.generative.latent_codes import LatentCodes
from semsim_training.attacks.generative.untrained_network import UntrainedNetwork
from semsim_training.attacks.objectives import Cosine
from semsim_training.attacks.schedules import Decay
from semsim_training.attacks.steppers import Optimiser, Sign

GENERATIVE_PRESETS = (
    AttackRecipe(
        name="ggl",
        objective=DefendedEuclidean(),
        optimiser=Optimiser("adam", 0.1, Sign.HARD),
        iterations=ATTACKS["ggl"].iterations or 0,
        priors=(CodeDivergence(0.1),),
        decay=Decay.STEP,
        decoder=LatentCodes(),
        keeps_best=True,
    ),
    AttackRecipe(
        name="ci-net",
        objective=Cosine(),
        optimiser=Optimiser("adam", 1e-3, Sign.HARD),
        iterations=ATTACKS["ci-net"].iterations or 0,
        decoder=UntrainedNetwork(),
    ),
)
