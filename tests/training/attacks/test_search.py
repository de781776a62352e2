"""Searches: what they find, and that nobody else in the batch matters."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from semsim.exceptions import InvalidUpdate
from semsim.pixel_metrics import mse, psnr
from semsim_training.attacks.candidate_evaluation import Evaluation
from semsim_training.attacks.objectives import Euclidean
from semsim_training.attacks.presets import PRESETS, preset
from semsim_training.attacks.priors import BatchNormStatistics, Reference
from semsim_training.attacks.search import Options, Search, SearchState, Status
from semsim_training.attacks.steppers import Optimiser
from semsim_training.gradients.update import LocalTraining
from semsim_training.images.normalisation import normalise
from semsim_training.observations.client import Protocol
from semsim_training.observations.observation import Observation
from tests.training.small import observations, smooth_images, victim

DOUBLE = Options(dtype=torch.float64)
SENT = Protocol(batchnorm="train", send_statistics=True)


@pytest.fixture(scope="module")
def seen() -> list[Observation]:
    """Six clients of a LeNet."""
    return observations(victim("lenet"), 6)


def test_inverting_gradients_finds_the_images(seen: list[Observation]) -> None:
    """1000 iterations with a strong prior come far closer than grey, which they start from."""
    recipe = replace(preset("smooth"), iterations=1000)
    found = Search(recipe, seen, range(6)).run()
    values = psnr(mse(smooth_images(6), np.concatenate([item.images for item in found])))
    grey = psnr(mse(smooth_images(6), np.full((6, 32, 32, 3), 127, dtype=np.uint8)))
    assert all(item.status is Status.DONE for item in found)
    assert np.median(values - grey) > 3
    assert [item.labels for item in found] == [observation.labels for observation in seen]


def test_order_and_batch_do_not_matter(seen: list[Observation]) -> None:
    """In float64, 40 signed steps end alike alone, among five others, and in another order."""
    recipe = replace(preset("inversed"), iterations=40)
    together = Search(recipe, seen, range(6), DOUBLE).run()
    shuffled = Search(recipe, seen[::-1], range(6)[::-1], DOUBLE).run()[::-1]
    alone = [Search(recipe, [observation], [i], DOUBLE).run()[0] for i, observation in enumerate(seen)]
    for one, two, three in zip(together, shuffled, alone, strict=True):
        assert np.array_equal(one.images, two.images)
        assert np.array_equal(one.images, three.images)


def test_one_local_step_is_a_gradient() -> None:
    """In float64 an attack ends at the same images whether the client sends its gradient or its weights."""
    of = victim("resnet20", 4, 16)
    of.model.double()
    recipe = replace(preset("batch-statistics"), iterations=10)
    protocols = (SENT, replace(SENT, local_training=LocalTraining(0.1, 2)))
    by_gradient, by_delta = (
        Search(recipe, observations(of, 2, 2, protocol), [0, 1], DOUBLE).run() for protocol in protocols
    )
    for one, two in zip(by_gradient, by_delta, strict=True):
        assert np.array_equal(one.images, two.images)
        assert one.objective == pytest.approx(two.objective)


def test_the_prior_brings_candidates_to_the_statistics_that_were_sent() -> None:
    """A search by it alone ends at less than half the distance that grey images have."""
    seen = observations(victim("resnet20", 16, 16), 2, protocol=SENT)
    prior = BatchNormStatistics(1.0, reference=Reference.BATCH)
    recipe = replace(preset("batch-statistics"), objective=Euclidean(0.0), priors=(prior,), iterations=60)
    evaluation = Evaluation(recipe, seen, torch.device("cpu"), torch.float32)
    found = Search(recipe, seen, range(2)).run()
    pixels = torch.stack([normalise(item.images, seen[0].victim.network) for item in found])
    labels = torch.tensor([observation.labels for observation in seen])
    ended, grey = (evaluation(x, labels, evaluation.targets).total for x in (pixels, torch.zeros_like(pixels)))
    assert (ended < 0.5 * grey).all()


@pytest.mark.parametrize("name", ["inversed", "dlg", "grad-inversion", "modern"])
def test_resumes_to_the_same_bytes(seen: list[Observation], name: str) -> None:
    """A search that goes on from a saved state ends where an uninterrupted one does."""
    recipe = replace(preset(name), iterations=20, restarts=2)
    if name == "grad-inversion":
        seen = observations(victim("resnet20", 16, 16), 2)
    states: list[SearchState] = []

    def keep(state: SearchState) -> None:
        stepper = {key: value.clone() for key, value in state.stepper.items()}
        states.append(SearchState(state.iteration, state.x.clone(), state.diverged.clone(), stepper))

    whole = Search(recipe, seen, range(len(seen))).run(save=keep, save_every=8)
    assert [state.iteration for state in states] == [8, 16]
    resumed = Search(recipe, seen, range(len(seen))).run(states[0])
    for one, two in zip(whole, resumed, strict=True):
        assert np.array_equal(one.images, two.images)
        assert one.objective == two.objective


def test_divergence_is_a_status_and_stays_with_its_item(seen: list[Observation]) -> None:
    """A step size that blows up is reported; neighbours of a lost item are as they are without it."""
    wild = replace(preset("inversed-l2"), optimiser=Optimiser("sgd", 1e38), boxed=False, iterations=30, retries=1)
    ended = Search(wild, observations(victim("resnet20", 4, 16), 4), range(4)).run()
    assert Status.DIVERGED in {item.status for item in ended}
    for item in ended:  # where every unit dies the objective stays finite: nothing diverged there
        assert np.isfinite(item.objective) == (item.status is Status.DONE)
    recipe = replace(preset("idlg"), iterations=30, retries=0)
    search = Search(recipe, seen, range(6))
    start = search.start()
    start.x[2] = torch.inf
    spoiled, whole = search.run(start), Search(recipe, seen, range(6)).run()
    assert spoiled[2].status is Status.DIVERGED
    assert np.isnan(spoiled[2].objective)
    for index in (0, 1, 3, 4, 5):
        assert np.array_equal(spoiled[index].images, whole[index].images)


def test_retries_use_other_seeds_and_only_for_the_lost(seen: list[Observation]) -> None:
    """An item that diverged is tried again; the others keep their result."""
    recipe = replace(preset("inversed"), iterations=5, retries=1)
    search = Search(recipe, seen, range(6))
    start = search.start()
    start.x[2] = torch.inf
    assert all(item.status is Status.DONE for item in search.run(start))


def test_restarts_keep_the_best(seen: list[Observation]) -> None:
    """The winner of three starts is no worse than the first alone."""
    one = replace(preset("inversed"), iterations=30)
    best = Search(replace(one, restarts=3), seen, range(6)).run()
    for single, chosen in zip(Search(one, seen, range(6)).run(), best, strict=True):
        assert chosen.objective <= single.objective + 1e-6


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_runs(name: str) -> None:
    """Ten iterations of each on a victim with batch normalisation lower the objective or keep it finite."""
    protocol = SENT if name == "batch-statistics" else Protocol()
    seen = observations(victim("resnet20", 16, 16), 2, protocol=protocol)
    found = Search(replace(preset(name), iterations=10), seen, [0, 1]).run()
    assert [item.images.shape for item in found] == [(1, 16, 16, 3)] * 2
    assert all(np.isfinite(item.objective) or item.status is Status.DIVERGED for item in found)


def test_compiled_is_the_same(seen: list[Observation], monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that fails is a warning, not an error, and changes nothing."""
    monkeypatch.setattr(torch, "compile", lambda *_: (_ for _ in ()).throw(RuntimeError("no compiler")))
    recipe = replace(preset("inversed"), iterations=5)
    plain = Search(recipe, seen[:2], [0, 1]).run()
    fallen_back = Search(recipe, seen[:2], [0, 1], Options(compile=True)).run()
    assert all(np.array_equal(a.images, b.images) for a, b in zip(plain, fallen_back, strict=True))


def test_refuses_what_an_attack_cannot_work_on(seen: list[Observation]) -> None:
    """Batch statistics need batch normalisation; joint label search needs a gradient; batches need one kind."""
    with pytest.raises(InvalidUpdate, match="expected a victim with batch normalisation"):
        Search(preset("grad-inversion"), seen, range(6))
    with pytest.raises(InvalidUpdate, match="expected a client that sends the running statistics"):
        Search(preset("batch-statistics"), observations(victim("resnet20", 4, 16), 1), [0])
    with pytest.raises(InvalidUpdate, match="of one victim"):
        Search(preset("inversed"), [seen[0], observations(victim("lenet"), 1)[0]], [0, 1])
    delta = observations(victim("lenet"), 1, 2, Protocol(local_training=LocalTraining(0.1, 1)))
    with pytest.raises(InvalidUpdate, match="expected a gradient for the attack dlg, got a weight delta"):
        Search(preset("dlg"), delta, [0])
