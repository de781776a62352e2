"""Searches find images, and no client of a batch changes another's result."""

import copy
import itertools
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
from semsim_training.attacks.reconstruction import Status
from semsim_training.attacks.search import Options, Search, SearchState
from semsim_training.attacks.steppers import Optimiser
from semsim_training.client_images.normalisation import normalise
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.client_side import Protocol
from semsim_training.observations.observation import Observation
from tests.training.small import observations, smooth_images, victim

pytestmark = pytest.mark.slow

DOUBLE = Options(dtype=torch.float64)
SENT = Protocol(batchnorm="train", send_statistics=True)


@pytest.fixture(scope="module")
def seen() -> list[Observation]:
    """Six clients of a LeNet."""
    return observations(victim("lenet", size=16), 6)


@pytest.fixture(scope="module")
def normalising() -> list[Observation]:
    """Two clients of a narrow ResNet20, which normalises batches."""
    return observations(victim("resnet20", 4, 16), 2)


@pytest.fixture(scope="module")
def sending() -> list[Observation]:
    """Two clients of a narrow ResNet20 that send their running statistics."""
    return observations(victim("resnet20", 4, 16), 2, protocol=SENT)


def test_inverting_gradients_finds_the_images(seen: list[Observation]) -> None:
    """200 iterations with a strong prior come 5 dB closer than grey, which they start from."""
    results = Search(replace(preset("smooth"), iterations=200), seen, range(6)).run()
    values = psnr(mse(smooth_images(6, 16), np.concatenate([result.images for result in results])))
    grey = psnr(mse(smooth_images(6, 16), np.full((6, 16, 16, 3), 127, dtype=np.uint8)))
    assert all(result.status in (Status.MATCHED, Status.PARTLY) for result in results)
    assert np.median(values - grey) > 5
    assert [result.labels for result in results] == [observation.labels for observation in seen]


def test_order_and_batch_do_not_matter(seen: list[Observation]) -> None:
    """In float64, 20 signed steps end alike alone, among five others, and in another order."""
    recipe = replace(preset("inversed"), iterations=20)
    together = Search(recipe, seen, range(6), DOUBLE).run()
    shuffled = Search(recipe, seen[::-1], range(6)[::-1], DOUBLE).run()[::-1]
    alone = [Search(recipe, [observation], [i], DOUBLE).run()[0] for i, observation in enumerate(seen)]
    for one, two, three in zip(together, shuffled, alone, strict=True):
        assert np.array_equal(one.images, two.images)
        assert np.array_equal(one.images, three.images)


def test_one_local_step_is_a_gradient() -> None:
    """In float64 an attack ends at the same images whether the client sends its gradient or its weights."""
    attacked = victim("resnet20", 4, 16)
    attacked.model.double()
    recipe = replace(preset("batch-statistics"), iterations=6)
    protocols = (SENT, replace(SENT, local_training=LocalTraining(0.1, 2)))
    by_gradient, by_delta = (
        Search(recipe, observations(attacked, 2, 2, protocol), [0, 1], DOUBLE).run() for protocol in protocols
    )
    for one, two in zip(by_gradient, by_delta, strict=True):
        assert np.array_equal(one.images, two.images)
        assert one.objective == pytest.approx(two.objective)


def test_the_prior_brings_candidates_to_the_statistics_that_were_sent(sending: list[Observation]) -> None:
    """A search by the prior alone ends at less than half the distance that grey images have."""
    prior = BatchNormStatistics(1.0, reference=Reference.BATCH)
    recipe = replace(preset("batch-statistics"), objective=Euclidean(0.0), priors=(prior,), iterations=20)
    evaluation = Evaluation(recipe, sending, torch.device("cpu"), torch.float32)
    results = Search(recipe, sending, range(2)).run()
    pixels = torch.stack([normalise(result.images, sending[0].victim.inputs) for result in results])
    labels = torch.tensor([observation.labels for observation in sending])
    ended, grey = (evaluation(x, labels, evaluation.targets).total for x in (pixels, torch.zeros_like(pixels)))
    assert (ended < 0.5 * grey).all()


@pytest.mark.parametrize("name", ["inversed", "dlg", "grad-inversion", "modern"])
def test_resumes_to_the_same_bytes(seen: list[Observation], normalising: list[Observation], name: str) -> None:
    """A search that goes on from a saved state ends where an uninterrupted one does."""
    recipe = replace(preset(name), iterations=12, restarts=2)
    if name == "grad-inversion":
        seen = normalising
    states: list[SearchState] = []

    def keep(state: SearchState) -> None:
        states.append(copy.deepcopy(state))

    whole = Search(recipe, seen, range(len(seen))).run(save=keep, save_every=5)
    assert [state.iteration for state in states] == [5, 10]
    resumed = Search(recipe, seen, range(len(seen))).run(states[0])
    for one, two in zip(whole, resumed, strict=True):
        assert np.array_equal(one.images, two.images)
        assert one.objective == two.objective


def test_divergence_is_a_status_and_stays_with_its_client(seen: list[Observation]) -> None:
    """A step size that blows up is reported, and the neighbours of a lost client are as they are without it."""
    wild = replace(preset("inversed-l2"), optimiser=Optimiser("sgd", 1e38), boxed=False, iterations=10, retries=1)
    ended = Search(wild, observations(victim("resnet20", 4, 16), 4), range(4)).run()
    assert Status.DIVERGED in {result.status for result in ended}
    for result in ended:  # the objective stays finite where every unit dies, and nothing diverges
        assert np.isfinite(result.objective) == (result.status is not Status.DIVERGED)
    recipe = replace(preset("idlg"), iterations=10, retries=0)
    search = Search(recipe, seen, range(6))
    start = search.start()
    start.x[2] = torch.inf
    spoiled, whole = search.run(start), Search(recipe, seen, range(6)).run()
    assert spoiled[2].status is Status.DIVERGED
    assert np.isnan(spoiled[2].objective)
    for index in (0, 1, 3, 4, 5):
        assert np.array_equal(spoiled[index].images, whole[index].images)


def test_retries_use_other_seeds_and_only_for_the_lost(seen: list[Observation]) -> None:
    """A client whose search diverged is tried again; the others keep their result."""
    recipe = replace(preset("inversed"), iterations=5, retries=1)
    search = Search(recipe, seen, range(6))
    start = search.start()
    start.x[2] = torch.inf
    assert all(result.status is not Status.DIVERGED for result in search.run(start))


@pytest.mark.parametrize(("most", "iterations"), [(3, 3), (5, 5), (8, 7), (100, 10)])
def test_a_result_tells_the_iterations_that_time_allowed(
    seen: list[Observation], monkeypatch: pytest.MonkeyPatch, most: int, iterations: int
) -> None:
    """Those of retries count, too; the time is looked at once between two tries."""
    looks = itertools.count()
    monkeypatch.setattr(Search, "_late", lambda _: next(looks) >= most)
    recipe = replace(preset("inversed"), iterations=5, retries=1)
    (result,) = Search(recipe, seen[:1], [0], Options(seconds=1e9)).run()
    assert result.status is not Status.MATCHED
    assert result.iterations == iterations


def test_restarts_keep_the_best(seen: list[Observation]) -> None:
    """The winner of three starts is no worse than the first alone."""
    recipe = replace(preset("inversed"), iterations=10)
    best = Search(replace(recipe, restarts=3), seen, range(6)).run()
    for single, chosen in zip(Search(recipe, seen, range(6)).run(), best, strict=True):
        assert chosen.objective <= single.objective + 1e-6


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"ggl"}))  # which needs a generator
def test_every_preset_runs(normalising: list[Observation], sending: list[Observation], name: str) -> None:
    """Five iterations of each preset on a victim with batch normalisation end finite or tell that they diverged."""
    seen = sending if name == "batch-statistics" else normalising
    results = Search(replace(preset(name), iterations=5), seen, [0, 1]).run()
    assert [result.images.shape for result in results] == [(1, 16, 16, 3)] * 2
    assert all(np.isfinite(result.objective) or result.status is Status.DIVERGED for result in results)


def test_compiled_is_the_same(seen: list[Observation], monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that fails is a warning, not an error, and changes nothing."""
    monkeypatch.setattr(torch, "compile", lambda *_: (_ for _ in ()).throw(RuntimeError("no compiler")))
    recipe = replace(preset("inversed"), iterations=5)
    plain = Search(recipe, seen[:2], [0, 1]).run()
    fallen_back = Search(recipe, seen[:2], [0, 1], Options(compile=True)).run()
    assert all(np.array_equal(a.images, b.images) for a, b in zip(plain, fallen_back, strict=True))


def test_refuses_what_an_attack_cannot_work_on(seen: list[Observation], normalising: list[Observation]) -> None:
    """Priors on statistics need batch normalisation, searched labels a gradient, and batches one victim."""
    with pytest.raises(InvalidUpdate, match="expected a victim with batch normalisation"):
        Search(preset("grad-inversion"), seen, range(6))
    with pytest.raises(InvalidUpdate, match="expected a client that sends the running statistics"):
        Search(preset("batch-statistics"), normalising, [0, 1])
    with pytest.raises(InvalidUpdate, match="of one victim"):
        Search(preset("inversed"), [seen[0], normalising[0]], [0, 1])
    delta = observations(victim("lenet"), 1, 2, Protocol(local_training=LocalTraining(0.1, 1)))
    with pytest.raises(InvalidUpdate, match="expected a gradient or the delta of one step of SGD for the attack dlg"):
        Search(preset("dlg"), delta, [0])
