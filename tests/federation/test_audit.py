import json
import time
from dataclasses import replace
from functools import partial
from itertools import count

import numpy as np
import pytest
import torch
from torch import nn

from semsim.exceptions import InvalidArray, InvalidConfiguration, InvalidUpdate, InvalidVictim
from semsim_federation import Audit, Inputs, LeakageVerdict, LocalTraining
from semsim_federation import audit as audit_module
from semsim_federation.attempts import Attempts
from semsim_federation.leakage_report import Attempt
from semsim_training.attacks.search import Search
from tests.federation.digits import INPUTS, audit, client, network, pictures, scorer, trained, weights_of

BEFORE = weights_of(network())


def test_a_closed_form_leaks_and_nothing_else_is_tried() -> None:
    """One image behind a fully connected network leaks, and no search follows."""
    images, labels = client(1)
    report = audit().update(BEFORE, trained(BEFORE, images, labels), images, labels, round=3)
    assert report.verdict is LeakageVerdict.LEAKS
    assert report.images[0].leaked
    assert report.images[0].attack == "closed-form"
    assert [one.status for one in report.attempts] == ["skipped", "matched", "skipped"]
    assert report.attempts[2].reason == "every image leaked already"
    assert "leaks 1 of 1 image" in report.sentence
    assert report.values()["round"] == 3
    assert report.values()["images"][0]["psnr"] is None  # infinite


def test_the_images_of_a_batch_leak_in_any_order() -> None:
    """Each image of a batch is compared with the reconstruction that is most like it."""
    images, labels = client(2)
    report = audit(seconds=60.0).update(BEFORE, trained(BEFORE, images, labels), images, labels)
    assert report.verdict is LeakageVerdict.LEAKS
    assert report.leaked == 2
    assert report.luck <= 0.015 + 1e-9


@pytest.mark.parametrize("kind", ["after", "delta", "gradient"])
def test_updates_come_in_three_kinds(kind: str) -> None:
    """Weights, their change and gradients say the same."""
    images, labels = client(1)
    after = trained(BEFORE, images, labels)
    sent = after if kind == "after" else {name: value - BEFORE[name] for name, value in after.items()}
    training = LocalTraining(0.1, 64)
    if kind == "gradient":
        sent, training = {name: -value / 0.1 for name, value in sent.items()}, None
    report = audit(training=training).update(BEFORE, sent, images, labels, kind=kind)
    assert report.verdict is LeakageVerdict.LEAKS


def test_a_probe_applies_the_defense() -> None:
    """A probe defends what the training function gives."""
    images, labels = client(1)
    open_ = audit(seconds=60.0, attacks=()).probe(BEFORE, trained, images, labels)
    noisy = audit(seconds=60.0, attacks=()).probe(BEFORE, trained, images, labels, defense="gaussian:0.01")
    assert open_.verdict is LeakageVerdict.LEAKS
    assert noisy.verdict is not LeakageVerdict.LEAKS
    assert noisy.defense == "gaussian:0.01"


def test_adam_that_is_told_as_sgd_is_no_green_light() -> None:
    """A training that cannot have made the update is told."""
    images, labels = client(2)
    adam = partial(torch.optim.Adam, lr=0.001)
    tried = audit(seconds=60.0, training=LocalTraining(0.001, 64), attacks=("smooth",))
    tried.attacks["smooth"] = replace(tried.attacks["smooth"], iterations=200, retries=0)
    report = tried.update(BEFORE, trained(BEFORE, images, labels, adam), images, labels)
    assert report.verdict is not LeakageVerdict.NOT_SHOWN
    assert "Adam" in report.attempts[-1].reason
    assert "safe" not in report.sentence


def test_an_optimiser_that_is_not_declared_is_refused() -> None:
    """Weights after training need a declared training."""
    images, labels = client(1)
    with pytest.raises(InvalidUpdate, match="learning rate of local training"):
        audit(training=None).update(BEFORE, trained(BEFORE, images, labels), images, labels)


def test_updates_and_images_that_do_not_belong_are_refused() -> None:
    """The error says what was expected."""
    images, labels = client(2)
    after, tried = trained(BEFORE, images, labels), audit()
    with pytest.raises(InvalidUpdate, match="finite"):
        tried.update(BEFORE, after | {"1.bias": after["1.bias"] * np.nan}, images, labels)
    with pytest.raises(InvalidUpdate, match="1"):
        tried.update(BEFORE, {name: value for name, value in after.items() if name != "1.bias"}, images, labels)
    with pytest.raises(InvalidUpdate, match="shape"):
        tried.update(BEFORE, after | {"1.bias": after["1.bias"][:5]}, images, labels)
    with pytest.raises(InvalidVictim):
        tried.update({name: value for name, value in BEFORE.items() if name != "1.bias"}, after, images, labels)
    with pytest.raises(InvalidArray, match="16 x 16 pixels with 1 channels, got uint8 of shape"):
        tried.update(BEFORE, after, images[:, :8], labels)
    with pytest.raises(InvalidArray, match="got none"):
        tried.update(BEFORE, after, images[:0], [])
    with pytest.raises(InvalidArray, match="float64"):
        tried.update(BEFORE, after, images / 255.0, labels)
    with pytest.raises(InvalidUpdate, match="one label for each of 2 images"):
        tried.update(BEFORE, after, images, labels[:1])
    with pytest.raises(InvalidConfiguration, match="kind of update"):
        tried.update(BEFORE, after, images, labels, kind="weights")


def test_a_batch_that_is_told_too_small_does_not_pass() -> None:
    """A client of three images that is told as one of a single image gets the mistake named."""
    images, labels = client(3)
    report = audit(seconds=3.0).update(BEFORE, trained(BEFORE, images, labels), images[:1], labels[:1])
    assert report.verdict is not LeakageVerdict.NOT_SHOWN
    assert "at least 3 classes" in report.attempts[1].reason


def test_reconstructions_that_are_black_are_no_green_light() -> None:
    """Nothing can be told of a black reconstruction."""
    images, _ = client(1)
    black = audit_module.FoundImages(scorer(), audit().controls, 0.42, images)
    black.add("smooth", np.zeros_like(images))
    assert black.leakages[0].recognizable is None
    assert not black.leakages[0].leaked


def test_an_image_that_an_attack_moved_is_no_green_light() -> None:
    """Its edges are elsewhere, as much so as those of many public images, but hardly any of these is as near."""
    images, _ = client(1)
    moved = audit_module.FoundImages(scorer(), audit().controls, 0.42, images)
    moved.add("smooth", np.roll(images, 2, axis=2))
    (image,) = moved.leakages
    assert image.recognizable
    assert not image.leaked
    assert image.chance is not None
    assert image.chance > 0.05
    assert image.unsure
    assert moved.doubts


def test_an_attack_that_breaks_off_is_told_and_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception is an attempt that failed, and never a low leakage."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory\nsecond line")

    monkeypatch.setattr("semsim_federation.attempts.run_attack", broken)
    images, labels = client(1)
    report = audit().update(BEFORE, trained(BEFORE, images, labels), images, labels)
    assert report.verdict is LeakageVerdict.COULD_NOT_TELL
    assert {one.status for one in report.attempts} == {"failed"}
    assert report.attempts[0].reason == "RuntimeError: out of memory"
    assert report.images[0].leakage is None
    assert report.reconstructions == (None,)
    assert (report.control_mean, report.control_max) == (None, None)


class Deep(nn.Module):
    """A network whose search takes minutes at 96 pixels."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, 32, 3, padding=1), *(nn.Conv2d(32, 32, 3, padding=1) for _ in range(8))]
        self.body = nn.Sequential(*(part for layer in layers for part in (layer, nn.Sigmoid())))
        self.head = nn.Linear(32, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The logits."""
        return self.head(self.body(images).mean(dim=(2, 3)))


def test_a_closed_form_without_time_is_skipped_and_blames_no_network() -> None:
    """A busy machine leaves it no time: the reason is the time, and nothing can be told."""
    images, labels = client(1)
    report = audit(seconds=1e-3, attacks=()).update(BEFORE, trained(BEFORE, images, labels), images, labels)
    assert report.verdict is LeakageVerdict.COULD_NOT_TELL
    closed_form = report.attempts[1]
    assert (closed_form.status, closed_form.reason) == ("skipped", "the time was over in a layer Sequential")


def test_a_search_that_is_too_large_for_the_time_is_skipped_with_the_reason() -> None:
    """The audit ends within its time."""
    model = Deep()
    inputs = Inputs(size=96, classes=10, mean=0.5, std=0.25, white=1)
    images = np.random.default_rng(0).integers(0, 256, (8, 96, 96, 3), dtype=np.uint8)
    gradient = {name: torch.randn_like(value) for name, value in model.named_parameters()}
    tried = Audit(model, inputs, seconds=2.0, controls=pictures()[500:700], scorer=scorer())
    began = time.monotonic()
    report = tried.update(model.state_dict(), gradient, images, [0] * 8, kind="gradient")
    assert time.monotonic() - began < 10  # the machine may be busy
    assert report.verdict is LeakageVerdict.COULD_NOT_TELL
    assert report.attempts[-1].status == "skipped"
    assert "s are left" in report.attempts[-1].reason or "the time was over" in report.attempts[-1].reason


def test_an_audit_says_what_it_expects() -> None:
    """Wrong settings are refused."""
    with pytest.raises(InvalidConfiguration, match="at least 100"):
        audit(controls=pictures()[:99])
    with pytest.raises(InvalidConfiguration, match="expected an attack"):
        audit(attacks=("sgd",))
    with pytest.raises(InvalidConfiguration, match="more than 0 seconds"):
        audit(seconds=0.0)
    most = float(scorer().leakage(np.zeros(1))[0])  # the leakage of a copy, which must not pass
    assert audit(threshold=most).threshold == most
    for threshold in (0.0, np.nextafter(most, 1), float("nan")):
        with pytest.raises(InvalidConfiguration, match="expected a threshold of more than 0 and up to"):
            audit(threshold=threshold)
    assert INPUTS.classes == 10


def test_a_report_hands_out_the_reconstruction_of_each_image() -> None:
    """The images that the numbers are of are in the report, and neither in its JSON nor in its text."""
    images, labels = client(1)
    report = audit().update(BEFORE, trained(BEFORE, images, labels), images, labels)
    (reconstruction,) = report.reconstructions
    assert reconstruction is not None
    assert reconstruction.shape == images[0].shape
    assert np.abs(reconstruction.astype(int) - images[0]).max() <= 2
    assert "reconstructions" not in report.values()
    assert "array" not in repr(report)
    json.dumps(report.values(), allow_nan=False)


def test_controls_stand_beside_the_same_reconstructions() -> None:
    """The report has the leakage of controls, each of which takes its nearest reconstruction, as an original does."""
    images, labels = client(1)
    report = audit().update(BEFORE, trained(BEFORE, images, labels), images, labels)
    assert len(report.control_leakages) == report.controls
    mean, largest = report.control_mean, report.control_max
    assert mean is not None
    assert largest is not None
    assert mean < 0.5
    assert mean < largest <= max(report.leakages)
    assert (report.values()["control_mean"], report.values()["control_max"]) == (mean, largest)


@pytest.mark.parametrize("factor", [1e25, 1e-30])
def test_a_share_that_is_not_finite_is_none(factor: float) -> None:
    """JSON cannot write it: the report of an update of huge or of tiny numbers would be lost."""
    images, labels = client(1)
    after = trained(BEFORE, images, labels)
    gradient = {name: (after[name] - value) * np.float32(factor) for name, value in BEFORE.items()}
    report = audit(training=None, attacks=()).update(BEFORE, gradient, images, labels, kind="gradient")
    assert [(one.explained, one.gain) for one in report.attempts] == [(None, None)] * 2
    json.dumps(report.values(), allow_nan=False)


def test_a_leak_keeps_its_reconstruction() -> None:
    """Images of a later attack replace neither what leaked nor its reconstruction."""
    images, _ = client(2)
    between = audit_module.FoundImages(scorer(), audit().controls, 0.42, images)
    between.add("closed-form", images[:1])
    between.add("smooth", np.stack([images[1], 255 - images[0]]))
    assert [image.attack for image in between.leakages] == ["closed-form", "smooth"]
    for reconstruction, image in zip(between.reconstructions, images, strict=True):
        assert reconstruction is not None
        assert np.array_equal(reconstruction, image)


def test_an_image_that_is_identified_without_being_recognizable_is_told() -> None:
    """The sentence says that an image stands out from the controls, although it is not shown to leak."""
    images, labels = client(1)
    report = audit().update(BEFORE, trained(BEFORE, images, labels), images, labels)
    assert "identified" not in report.sentence
    quiet = replace(report.images[0], leakage=0.1, recognizable=False, leaked=False)
    hidden = replace(report, verdict=LeakageVerdict.NOT_SHOWN, images=(quiet,))
    assert "But 1 image is identified: public images are less like" in hidden.sentence
    stranger = replace(hidden, images=(replace(quiet, identified=False),))
    assert stranger.sentence.endswith("Others may find more.")


def test_controls_of_another_model_are_refused() -> None:
    """Embeddings of two models cannot be compared."""
    known = audit().controls
    with pytest.raises(InvalidConfiguration, match="those of another model"):
        audit(controls=replace(known, graph_sha256="0" * 64))
    shorter = replace(known.portraits, embeddings=known.portraits.embeddings[:, :8])
    with pytest.raises(InvalidConfiguration, match="got 8"):
        audit(controls=replace(known, portraits=shorter, graph_sha256=None))


@pytest.mark.parametrize(
    ("last", "verdict"),
    [
        (Attempt("smooth", "nothing_found", 0.0, 0.0, 1.0), LeakageVerdict.NOT_SHOWN),
        (Attempt("smooth", "skipped", None, None, 1.0, "no batch normalisation", True), LeakageVerdict.NOT_SHOWN),
        (Attempt("smooth", "skipped", None, None, 1.0, "no memory"), LeakageVerdict.COULD_NOT_TELL),
        (Attempt("smooth", "failed", None, None, 1.0, "ValueError: x"), LeakageVerdict.COULD_NOT_TELL),
        (Attempt("smooth", "diverged", None, None, 1.0, "no image came out"), LeakageVerdict.COULD_NOT_TELL),
        (Attempt("smooth", "out_of_time", 0.2, 0.2, 1.0, "the time was over"), LeakageVerdict.COULD_NOT_TELL),
    ],
)
def test_an_update_is_not_shown_to_leak_only_where_no_attack_was_prevented(
    monkeypatch: pytest.MonkeyPatch, last: Attempt, verdict: LeakageVerdict
) -> None:
    """One attack that explains a part does not stand in for another that did not look."""
    outcomes = {
        "imprint": Attempt("imprint", "skipped", None, None, 0.0, "no imprint module", True),
        "closed-form": Attempt("closed-form", "partly", 0.4, 0.4, 0.0),
        "smooth": last,
    }

    def scripted(attempts: Attempts, name: str, _: object) -> np.ndarray | None:
        attempts.done.append(outcomes[name])
        return noise if name == "closed-form" else None

    monkeypatch.setattr(Attempts, "run", scripted)
    images, labels = client(1)
    noise = np.random.default_rng(0).integers(0, 256, images.shape, dtype=np.uint8)
    report = audit(attacks=("smooth",)).update(BEFORE, trained(BEFORE, images, labels), images, labels)
    assert report.verdict is verdict
    assert bool(report.doubts) == (verdict is LeakageVerdict.COULD_NOT_TELL)


@pytest.mark.parametrize("most", [3, 1000])
def test_a_search_that_time_ends_early_has_not_looked(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """A few iterations that find nothing are told as such, and its planned iterations as a look."""
    evaluated = count()
    monkeypatch.setattr(Search, "_late", lambda _: next(evaluated) >= most)
    images, labels = client(2)
    report = audit(attacks=("smooth",)).probe(BEFORE, trained, images, labels, defense="gaussian:0.03")
    search = report.attempts[-1]
    assert search.status == ("out_of_time" if most == 3 else "nothing_found")
    assert search.prevented == (most == 3)
    assert search.reason.startswith("the time was over after 3 of 1000 iterations") == (most == 3)
    assert report.verdict is LeakageVerdict.COULD_NOT_TELL
