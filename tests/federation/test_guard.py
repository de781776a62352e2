from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import numpy as np
import pytest

from semsim.exceptions import InvalidConfiguration, InvalidUpdate
from semsim_federation import Audit, Guard, LeakageVerdict
from semsim_federation.attempts import Attempts, TooLarge
from semsim_federation.found_images import FoundImages
from semsim_federation.leakage_report import Attempt
from semsim_federation.time_limit import TimeIsOver
from tests.federation.digits import audit, client, network, pictures, trained, weights_of

BEFORE = weights_of(network())
IMAGES, LABELS = client(1)
AFTER = trained(BEFORE, IMAGES, LABELS)


@pytest.fixture(scope="module")
def quick() -> Audit:
    """An audit by closed forms alone."""
    return audit(attacks=(), seconds=60.0)


def test_a_report_is_not_in_the_way(quick: Audit) -> None:
    """``report`` sends everything."""
    decision = Guard(quick).check(BEFORE, AFTER, IMAGES, LABELS, 1)
    assert decision.report is not None
    assert decision.report.verdict is LeakageVerdict.LEAKS
    assert decision.send is not None
    assert all(np.array_equal(decision.send[name], AFTER[name]) for name in AFTER)


def test_what_leaks_is_blocked(quick: Audit) -> None:
    """``block`` sends nothing that leaks."""
    decision = Guard(quick, action="block").check(BEFORE, AFTER, IMAGES, LABELS, 1)
    assert decision.send is None
    assert "leaks 1 of 1" in decision.reason


def test_rounds_between_are_not_audited(quick: Audit) -> None:
    """Only every n-th round is audited."""
    decision = Guard(quick, action="block", every=5).check(BEFORE, AFTER, IMAGES, LABELS, 3)
    assert decision.send is not None
    assert decision.report is None
    assert not decision.due
    assert decision.reason == "Round 3 is not audited."
    broken = Guard(quick, action="block", every=5).check(BEFORE, AFTER, IMAGES, [*LABELS[:-1], 99], 5)
    assert (broken.send, broken.report, broken.due) == (None, None, True)


def test_a_limit_lets_a_share_of_images_leak(quick: Audit) -> None:
    """More than the limit is blocked."""
    decision = Guard(quick, action="block", limit=0.5).check(BEFORE, AFTER, IMAGES, LABELS, 1)
    assert decision.send is None  # all of one image


def test_the_ladder_ends_where_the_update_no_longer_leaks(quick: Audit) -> None:
    """``defend`` sends a defended update or none."""
    guard = Guard(quick, action="defend", defenses=("prune:0.01", "gaussian:0.003"))
    decision = guard.check(BEFORE, AFTER, IMAGES, LABELS, 1)
    assert decision.report is not None
    if decision.send is not None:  # the noise is secret, and so its luck
        assert decision.report.defense in ("prune:0.01", "gaussian:0.003")
        assert not np.array_equal(decision.send["1.weight"], AFTER["1.weight"])
        assert decision.send["1.weight"].dtype == np.float32
        assert decision.report.verdict is not LeakageVerdict.LEAKS


@pytest.mark.parametrize(
    ("after", "images", "labels", "told"),
    [
        ({name: value * np.nan for name, value in AFTER.items()}, IMAGES, LABELS, "finite"),
        ({"other": np.zeros(3)}, IMAGES, LABELS, "other"),
        (AFTER, IMAGES[:, :8], LABELS, "16 x 16 pixels"),
        (AFTER, IMAGES[:0], [], "got none"),
        (AFTER, IMAGES, [1, 2], "one label"),
        (AFTER, None, LABELS, "NoneType"),
        (BEFORE, IMAGES, LABELS, "not zero"),
    ],
    ids=["NaN", "another model", "another size", "no image", "labels", "no images", "nothing learnt"],
)
@pytest.mark.parametrize("action", ["block", "defend", "report"])
def test_what_cannot_be_audited_is_not_sent(
    quick: Audit, action: Any, after: Any, images: Any, labels: Any, told: str
) -> None:
    """Everything that goes wrong blocks, except where the guard only reports."""
    guard = Guard(quick, action=action, defenses=("prune:0.5",) if action == "defend" else ())
    decision = guard.check(BEFORE, after, images, labels, 1)
    assert (decision.send is None) == (action != "report")
    assert told in decision.reason


def test_a_scorer_that_raises_blocks(quick: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without scores nothing is sent."""

    def down(*_: object, **__: object) -> None:
        raise ConnectionError("the scorer is down")

    monkeypatch.setattr(quick.scorer, "score_pairs", down)
    decision = Guard(quick, action="block").check(BEFORE, AFTER, IMAGES, LABELS, 1)
    assert decision.send is None
    assert "the scorer is down" in decision.reason


def test_an_optimiser_that_is_not_declared_blocks() -> None:
    """An undeclared training blocks."""
    decision = Guard(audit(attacks=(), training=None), action="block").check(BEFORE, AFTER, IMAGES, LABELS, 1)
    assert decision.send is None
    assert "learning rate" in decision.reason


def test_a_guard_says_what_it_expects(quick: Audit) -> None:
    """Wrong options are refused."""
    for wrong, told in (
        ({"action": "stop"}, "expected the action"),
        ({"every": 0}, "whole number of rounds"),
        ({"limit": 1.0}, "limit of 0 to less than 1"),
        ({"action": "defend"}, "expected defenses"),
        ({"action": "block", "defenses": ("prune:0.5",)}, "expected defenses"),
        ({"action": "defend", "defenses": ("blur:3",)}, "blur"),
    ):
        with pytest.raises(InvalidConfiguration, match=told):
            Guard(quick, **wrong)


def test_images_of_another_client_are_not_sent(quick: Audit) -> None:
    """Images that an update does not come from say nothing of it, though an attack rebuilt the true ones."""
    strangers = np.stack(pictures()[10:11])[..., :1]
    decision = Guard(quick, action="block").check(BEFORE, AFTER, strangers, [0], 1)
    assert decision.send is None
    assert decision.report is not None
    assert decision.report.verdict is LeakageVerdict.COULD_NOT_TELL
    assert "declared images explain" in decision.reason


def test_a_weak_attack_does_not_vouch_for_strangers(quick: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of another client are doubted by what they explain themselves, and not by how far an attack got."""
    strangers = np.stack(pictures()[10:11])[..., :1]
    monkeypatch.setattr(Attempts, "run", _weak)
    report = quick.update(BEFORE, AFTER, strangers, LABELS)
    assert report.verdict is LeakageVerdict.COULD_NOT_TELL
    assert any("declared images explain" in doubt for doubt in report.doubts)


def _weak(attempts: Attempts, name: str, _: object) -> np.ndarray:
    """An attack that explains a fifth of an update, by noise."""
    attempts.done.append(Attempt(name, "partly", 0.2, 0.2, 0.0))
    return np.random.default_rng(0).integers(0, 256, (1, 16, 16, 1), dtype=np.uint8)


def test_a_limit_counts_images_of_which_nothing_can_be_told(quick: Audit) -> None:
    """One leak of four is within a limit of a half only where the three others were looked at."""
    images = np.concatenate([IMAGES, np.full((3, 16, 16, 1), 128, dtype=np.uint8)])
    labels = [0, 1, 2, 3]
    decision = Guard(quick, action="block", limit=0.5).check(BEFORE, trained(BEFORE, images, labels), images, labels, 1)
    assert decision.send is None


def test_a_limit_needs_every_attack_to_have_looked(quick: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    """One leak of four is within a limit of a half, but not where an attack was prevented from finding more."""
    leaked = quick.update(BEFORE, AFTER, IMAGES, LABELS)
    safe = replace(leaked.images[0], recognizable=False, identified=False, leaked=False)
    one_of_four = replace(leaked, images=(*leaked.images, safe, safe, safe), batch=4)
    short = Attempt("smooth", "out_of_time", None, None, 0.0)
    reports = iter([one_of_four, replace(one_of_four, attempts=(*leaked.attempts, short))])
    monkeypatch.setattr(Audit, "update", lambda *_, **__: next(reports))
    guard = Guard(quick, action="block", limit=0.5)
    assert guard.check(BEFORE, AFTER, IMAGES, LABELS, 1).send is not None
    assert guard.check(BEFORE, AFTER, IMAGES, LABELS, 1).send is None


@pytest.mark.parametrize("round", [0.5, float("nan"), "%d", "3", True])
def test_a_round_of_no_whole_number_skips_nothing(quick: Audit, round: Any) -> None:
    """A round's number from a configuration does not switch the guard off."""
    decision = Guard(quick, action="block", every=2).check(BEFORE, AFTER, IMAGES, LABELS, round)
    assert decision.send is None
    assert "whole number" in decision.reason


def test_controls_that_hold_the_clients_images_hide_nothing() -> None:
    """Images that clients and controls share are left out of the controls."""
    shared = pictures()[:400]
    report = audit(attacks=(), seconds=60.0, controls=shared).update(BEFORE, AFTER, IMAGES, LABELS)
    assert report.verdict is LeakageVerdict.LEAKS
    assert report.controls < len(shared)


def test_a_leak_is_not_taken_back(quick: Audit) -> None:
    """A leak that a first attack has shown stays shown, whatever a later one finds that is more alike by edges."""
    found = FoundImages(quick.scorer, quick.controls, quick.threshold, IMAGES)
    found.add("closed-form", IMAGES)
    assert found.all_leaked
    found.add("other", 255 - IMAGES)
    assert found.all_leaked
    assert found.leakages[0].attack == "closed-form"


def _search(status: str, reason: str = "", *, unsuited: bool = False) -> Attempt:
    return Attempt("smooth", status, None, None, 0.0, reason, unsuited)


LOOKED, SLOW = _search("nothing_found"), _search("skipped", "the time was over in a layer Linear")
UNSUITED = _search("skipped", "expected a victim with batch normalisation", unsuited=True)
ALREADY = None
"""An attack that was not tried, since every image leaked."""


@pytest.mark.parametrize(
    ("undefended", "after_defense", "sends"),
    [
        (ALREADY, LOOKED, True),
        (LOOKED, LOOKED, True),
        (ALREADY, UNSUITED, True),
        (UNSUITED, UNSUITED, True),
        (SLOW, LOOKED, True),
        (LOOKED, UNSUITED, False),
        (ALREADY, SLOW, False),
        (LOOKED, SLOW, False),
        (SLOW, SLOW, False),
        (ALREADY, _search("out_of_time"), False),
        (_search("out_of_time"), UNSUITED, False),
        (ALREADY, _search("failed", "RuntimeError: no memory"), False),
        (_search("failed", "ValueError: x"), _search("failed", "ValueError: x"), False),
        (ALREADY, _search("diverged", "no image came out"), False),
        (ALREADY, Attempt("smooth", "partly", 0.9, 0.9, 0.0), False),  # of more than the client's images explain
    ],
)
def test_a_defense_counts_only_where_every_attack_looked(
    monkeypatch: pytest.MonkeyPatch, undefended: Attempt | None, after_defense: Attempt, sends: bool
) -> None:
    """The closed form that found the image finds nothing under noise; a search that did not look says nothing of it."""
    outcomes: Iterator[Attempt] = chain([] if undefended is ALREADY else [undefended], repeat(after_defense))
    run = Attempts.run

    def scripted(attempts: Attempts, name: str, attack: Any) -> Any:
        if name != "smooth":
            return run(attempts, name, attack)
        attempts.done.append(next(outcomes))
        return None

    monkeypatch.setattr(Attempts, "run", scripted)
    monkeypatch.setattr("secrets.randbits", lambda _: 0)
    if undefended is not ALREADY:
        monkeypatch.setattr(FoundImages, "all_leaked", False)
    guard = Guard(audit(attacks=("smooth",), seconds=5.0), action="defend", defenses=("gaussian:0.03",))
    decision = guard.check(BEFORE, AFTER, IMAGES, LABELS, 1)
    assert decision.report is not None
    assert decision.report.defense == "gaussian:0.03"
    assert (decision.send is not None) == sends
    assert decision.report.verdict is (LeakageVerdict.NOT_SHOWN if sends else LeakageVerdict.COULD_NOT_TELL)


@pytest.mark.parametrize(
    ("error", "status", "unsuited"),
    [
        (InvalidUpdate("a client with batch normalisation"), "skipped", True),
        (TooLarge("no memory"), "skipped", False),
        (TimeIsOver("the time was over"), "skipped", False),
        (RuntimeError("broke"), "failed", False),
    ],
)
def test_a_skip_says_whether_the_attack_is_for_such_updates(
    quick: Audit, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: str, unsuited: bool
) -> None:
    """Want of time or memory is told apart from an attack that could never work on the update."""

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(Attempts, "_result", refuse)
    report = quick.update(BEFORE, AFTER, IMAGES, LABELS)
    assert {(one.status, one.unsuited) for one in report.attempts} == {(status, unsuited)}
