"""An attack that mirrors, turns, inverts or moves a client's image leaves a doubt, whatever else is found."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from semsim_federation import Guard, LeakageVerdict
from semsim_federation.attempts import Attempts
from semsim_federation.found_images import FoundImages
from semsim_federation.leakage_report import Attempt
from tests.federation.digits import audit, client, network, pictures, scorer, trained, weights_of

IMAGES, LABELS = client(1)
BEFORE = weights_of(network())
AFTER = trained(BEFORE, IMAGES, LABELS)


def moved(images: np.ndarray) -> np.ndarray:
    """Images moved by a quarter in both directions, with grey behind."""
    behind = np.full_like(images, 128)
    behind[:, 4:, 4:] = images[:, :-4, :-4]
    return behind


ALTERED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "inverted": lambda images: 255 - images,
    "mirrored": lambda images: images[:, :, ::-1],
    "turned": lambda images: np.rot90(images, axes=(1, 2)),
    "moved": moved,
}
OTHERS = {
    "noise": np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1), dtype=np.uint8),
    "other digits": np.stack(pictures()[450:458])[..., :1],
}


@cache
def guard() -> Guard:
    """A guard that blocks, after closed forms and one search."""
    return Guard(audit(attacks=("smooth",), seconds=60.0), action="block")


@pytest.mark.parametrize("others", OTHERS)
@pytest.mark.parametrize("altered", ALTERED)
@pytest.mark.parametrize("together", [False, True])
def test_what_is_nearer_hides_no_altered_copy(
    monkeypatch: pytest.MonkeyPatch, altered: str, others: str, together: bool
) -> None:
    """Neither a later attack nor the same one takes a doubt back by an image that is nearer to the client's."""
    copy, rest = ALTERED[altered](IMAGES), OTHERS[others]
    of_attacks = {"closed-form": np.concatenate([rest, copy]) if together else copy, "smooth": rest}

    def scripted(attempts: Attempts, name: str, _: object) -> np.ndarray | None:
        if name not in of_attacks:
            attempts.done.append(Attempt(name, "skipped", None, None, 0.0, "no imprint module", True))
            return None
        status = "partly" if name == "closed-form" else "nothing_found"
        attempts.done.append(Attempt(name, status, 0.5, 0.5, 0.0))
        return of_attacks[name]

    monkeypatch.setattr(Attempts, "run", scripted)
    decision = guard().check(BEFORE, AFTER, IMAGES, LABELS, 1)
    assert decision.send is None
    assert decision.report is not None
    assert decision.report.verdict is LeakageVerdict.COULD_NOT_TELL
    (image,), (shown,) = decision.report.images, decision.report.reconstructions
    assert image.recognizable is None or image.unsure
    if image.recognizable is None:
        assert np.array_equal(shown, copy[0])
        assert image.attack == "closed-form"


def test_a_leak_wins_over_a_doubt() -> None:
    """An image that one attack inverted and another one rebuilt leaks, whichever comes first."""
    for first, second in ((IMAGES, 255 - IMAGES), (255 - IMAGES, IMAGES)):
        found = FoundImages(scorer(), audit().controls, 0.42, IMAGES)
        found.add("one", first)
        found.add("other", second)
        assert found.all_leaked
        assert not found.doubts


def test_a_blank_image_leaves_no_lasting_doubt() -> None:
    """Images of a later attack are judged as if the blank one had not been there, and noise shows none altered."""
    found = FoundImages(scorer(), audit().controls, 0.42, IMAGES)
    found.add("one", np.zeros_like(IMAGES))
    assert found.doubts
    found.add("other", OTHERS["noise"])
    assert not found.doubts
