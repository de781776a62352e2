"""Presets follow the loops written after their sources."""

import itertools

import pytest
import torch

from benchmarks.presets.sides import SOURCED, compare
from semsim_training.attacks.catalogue import ATTACKS
from semsim_training.attacks.features import implied_features
from semsim_training.attacks.presets import PRESETS, preset
from semsim_training.attacks.schedules import Decay, factor
from semsim_training.client_images.normalisation import normalise
from tests.training.small import observations, smooth_images, victim

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", SOURCED)
def test_follows_the_loop_of_its_source(name: str) -> None:
    """In float64 the start and the first 20 steps are the loop's, and so is the image where both keep the last one."""
    attacked = victim("resnet20", 4, 16) if preset(name).references else victim("lenet", size=16)
    both = compare(name, observations(attacked, 1), 20, 1, torch.float64)
    assert both.apart < 1e-6
    if not preset(name).keeps_best:
        assert (both.ours[0].images == both.theirs[0]).all()


def test_every_search_has_the_length_of_the_catalogue() -> None:
    """A preset is as long as the list of attacks says."""
    for name, recipe in PRESETS.items():
        assert recipe.iterations == ATTACKS[name].iterations


def test_schedules_start_and_end_as_in_the_sources() -> None:
    """A warm-up rises from zero and stays at one for two iterations; steps fall where whole numbers of the code are."""
    rising = [factor(Decay.COSINE, iteration, 200, warmup=50) for iteration in range(200)]
    assert (rising[0], rising[25], rising[50], rising[51]) == (0.0, 0.5, 1.0, 1.0)
    assert all(later < earlier for earlier, later in itertools.pairwise(rising[51:]))
    stepped = [factor(Decay.STEP, iteration, 4800) for iteration in range(4800)]
    assert [stepped.count(value) for value in sorted(set(stepped), reverse=True)] == [1799, 1200, 1204, 597]


def test_one_image_has_the_features_that_its_gradient_implies() -> None:
    """For one image the weight's row over the bias's entry is what enters the last layer."""
    attacked = victim("lenet", size=16)
    (seen,) = observations(attacked, 1)
    assert seen.labels is not None
    implied = implied_features(seen, seen.labels)
    entered: list[torch.Tensor] = []
    last = [module for module in attacked.model.modules() if isinstance(module, torch.nn.Linear)][-1]
    hook = last.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0].detach()))
    attacked.model(normalise(smooth_images(1, 16), attacked.inputs))
    hook.remove()
    assert torch.allclose(implied.float(), entered[0], rtol=1e-3, atol=1e-5)
