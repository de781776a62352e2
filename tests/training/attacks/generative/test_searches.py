"""Searches through decoders are like those of pixels: independent of their batch, and resumable."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from semsim.exceptions import InvalidUpdate
from semsim.pixel_metrics import mse, psnr
from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.generative.code_divergence import CodeDivergence
from semsim_training.attacks.generative.estimated_defense import DefendedEuclidean
from semsim_training.attacks.generative.image_generator import ImageGenerator
from semsim_training.attacks.generative.latent_codes import LatentCodes
from semsim_training.attacks.generative.untrained_network import UntrainedNetwork
from semsim_training.attacks.presets import preset
from semsim_training.attacks.priors import Candidates
from semsim_training.attacks.search import Options, Search, SearchState
from semsim_training.defenses.defense import Defense
from semsim_training.gradients.terms import DenseTerm
from semsim_training.observations.client_side import Protocol
from semsim_training.observations.observation import Observation
from tests.training.small import observations, smooth_images, victim

DOUBLE = Options(dtype=torch.float64)


def codes() -> AttackRecipe:
    """A search of the codes of a generator that was not trained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = ImageGenerator(16, 8, 16).requires_grad_(False)
    return replace(preset("ggl"), decoder=LatentCodes(generator), iterations=8)


def weights() -> AttackRecipe:
    """A short search of the weights of an untrained network."""
    return replace(preset("ci-net"), iterations=8)


@pytest.fixture(scope="module")
def seen() -> list[Observation]:
    """Three clients of two images each."""
    return observations(victim("lenet", size=16), 3, 2)


@pytest.mark.parametrize("recipe", [codes, weights])
def test_results_do_not_depend_on_the_batch(seen: list[Observation], recipe: Callable[[], AttackRecipe]) -> None:
    """In float64 a client's images are the same alone and among others."""
    together = Search(recipe(), seen, range(3), DOUBLE).run()
    for index, observation in enumerate(seen):
        alone = Search(recipe(), [observation], [index], DOUBLE).run()[0]
        assert np.array_equal(alone.images, together[index].images)
        assert together[index].explanation is not None


@pytest.mark.parametrize("recipe", [codes, weights])
def test_a_search_resumes_to_the_same_bytes(seen: list[Observation], recipe: Callable[[], AttackRecipe]) -> None:
    """A search that goes on from a saved state ends where an uninterrupted one does, with two starts a client."""
    twice, states = replace(recipe(), restarts=2), list[SearchState]()

    def keep(state: SearchState) -> None:
        stepper = {key: value.clone() for key, value in state.stepper.items()}
        states.append(SearchState(state.iteration, state.x.clone(), state.diverged.clone(), stepper, state.best))

    whole = Search(twice, seen, range(3)).run(save=keep, save_every=5)
    resumed = Search(twice, seen, range(3)).run(states[0])
    for one, two in zip(whole, resumed, strict=True):
        assert np.array_equal(one.images, two.images)
        assert one.objective == two.objective


@pytest.mark.slow
def test_an_untrained_network_finds_images() -> None:
    """CI-Net ends nearer to the originals than the search of pixels of as many iterations, and above 20 dB."""
    attacked = observations(victim("lenet", size=16), 2)
    values = {}
    for name in ("ci-net", "smooth"):
        results = Search(replace(preset(name), iterations=150), attacked, range(2)).run()
        values[name] = psnr(mse(smooth_images(2, 16), np.concatenate([result.images for result in results]))).mean()
    assert values["ci-net"] > max(values["smooth"], 20)


def test_the_untrained_network_has_more_weights_than_pixels() -> None:
    """It has four times as many as the images have pixels, begins as its seed says, and makes images from 0 to 1."""
    decoder = UntrainedNetwork()
    for shape in ((1, 3, 32, 32), (40, 3, 16, 16), (2, 1, 16, 16)):
        row = decoder.start(shape, 3)
        assert torch.equal(row, decoder.start(shape, 3))
        assert len(row) - 128 * shape[0] > 4 * shape[0] * shape[2] ** 2
        images = decoder(torch.stack([row, decoder.start(shape, 4)]), shape)
        assert images.shape == (2, *shape)
        assert 0 <= float(images.min()) < float(images.max()) <= 1
    with pytest.raises(InvalidUpdate, match="pixels for CI-Net, got 32x48"):
        decoder.check((1, 3, 32, 48))


def test_the_estimated_defense_forgives_what_the_defense_did() -> None:
    """The update of the originals is at distance zero though it was pruned and clipped, and that of others is not."""
    rng = torch.Generator().manual_seed(0)
    clean, other = (torch.randn(1, 20, 10, generator=rng) for _ in range(2))
    pruned = torch.where(clean.abs() > 0.5, clean, 0.0)
    clipped = pruned / pruned.norm() * 2
    distances = [float(DefendedEuclidean()([DenseTerm(one)], [clipped])) for one in (clean, other)]
    assert distances[0] < 1e-10
    assert distances[1] > 1
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=rng)
    near, far = (float(DefendedEuclidean()([DenseTerm(one)], [noisy])) for one in (clean, other))
    assert near < far


def test_the_prior_of_codes_is_a_divergence() -> None:
    """It is zero for entries of mean 0 and deviation 1, and the formula's value elsewhere."""
    standard = torch.tensor([[[1.0, -1.0, 1.0, -1.0]]])
    for unknowns, expected in ((standard, 0.0), (standard * 2 + 1, 0.5 * (1 + 4 - 1 - np.log(4)))):
        candidates = Candidates(torch.zeros(1, 1, 3, 4, 4), 1, [], {}, unknowns=unknowns)
        assert float(CodeDivergence(1.0)(candidates)) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match="expected codes"):
        CodeDivergence(1.0)(Candidates(torch.zeros(1, 1, 3, 4, 4), 1, [], {}))


def test_a_generator_and_a_defense_go_together() -> None:
    """A search of codes on a pruned and noisy update runs with labels inferred, and says what it explains."""
    protocol = Protocol(defense=Defense("prune:0.5+gaussian:1e-4"), reveal_labels=False)
    (result,) = Search(codes(), observations(victim("lenet", size=16), 1, protocol=protocol), [0]).run()
    assert result.explanation is not None
    assert len(result.labels) == 1
