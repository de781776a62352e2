"""One call for searches and closed forms."""

from collections.abc import Sequence

from semsim.progress import Progress, silent
from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.choice import ClosedForm
from semsim_training.attacks.reconstruction import Reconstruction
from semsim_training.attacks.search import DEFAULT_OPTIONS, Options, Save, Search, SearchState
from semsim_training.observations.observation import Observation


def run_attack(
    choice: AttackRecipe | ClosedForm,
    observations: Sequence[Observation],
    seeds: Sequence[int],
    options: Options = DEFAULT_OPTIONS,
    *,
    state: SearchState | None = None,
    save: Save | None = None,
    progress: Progress = silent,
) -> list[Reconstruction]:
    """Attack observations of one victim that differ in tensors and labels only; each has one of the seeds.

    Raises:
        InvalidUpdate: the attack cannot work on an observation.
    """
    if isinstance(choice, ClosedForm):
        return [choice.solve(observation) for observation in observations]
    return Search(choice, observations, seeds, options).run(state, save=save, progress=progress)
