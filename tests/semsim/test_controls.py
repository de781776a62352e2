"""Controls: an original must stand out among public images."""

import numpy as np
import pytest

from semsim import Scorer
from semsim.controls import LUCKY, Controls, Portraits
from semsim.exceptions import InvalidConfiguration
from tests.encoded import picture


def portraits(rng: np.random.Generator, count: int) -> Portraits:
    """Random portraits, whose rows have length 1."""
    parts = [rng.normal(size=(count, 40)) for _ in range(2)]
    return Portraits(*(part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts))


def test_the_best_of_many_strangers_is_identified_as_rarely_as_promised() -> None:
    """At most 1.5% of batches of unrelated images have one that is identified, whatever their number."""
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(300):
        controls = Controls(portraits(rng, 600))
        alarms += bool(controls.likeness(portraits(rng, 8), portraits(rng, 24)).identified.any())
    assert alarms <= 300 * LUCKY + 3 * np.sqrt(300 * LUCKY)


def test_an_original_is_identified_in_any_order() -> None:
    """The reconstruction that is the original stands out."""
    rng = np.random.default_rng(0)
    controls, originals = Controls(portraits(rng, 100)), portraits(rng, 4)
    order = np.array([2, 0, 3, 1])
    shuffled = Portraits(originals.embeddings[order], originals.edges[order])
    likeness = controls.likeness(originals, shuffled)
    assert (order[likeness.nearest] == np.arange(4)).all()
    assert likeness.identified.all()
    assert likeness.luck == pytest.approx(4 / 101)


def test_few_controls_are_refused() -> None:
    """Fewer than 100 can tell no chance below 1%."""
    with pytest.raises(InvalidConfiguration, match="expected at least 100 different controls"):
        Controls(portraits(np.random.default_rng(0), 99))


def test_images_that_are_all_alike_are_refused(small_scorer: Scorer) -> None:
    """Two hundred copies of one picture, each with another faint noise, are one control."""
    rng = np.random.default_rng(0)
    one = picture(32, 32)
    alike = [np.clip(one + rng.normal(0, 1, one.shape), 0, 255).astype(np.uint8) for _ in range(200)]
    with pytest.raises(InvalidConfiguration, match=r"expected at least 100 different controls, .* got 1$"):
        Controls.of(small_scorer, alike)


def test_controls_of_another_model_are_refused(small_scorer: Scorer, bundled: Scorer) -> None:
    """The controls know the graph that embedded them, and keep it without copies; else their length tells."""
    images = [picture(32, 32, seed) for seed in range(120)]
    controls = Controls.of(small_scorer, images)
    controls.require_model(small_scorer)
    left = controls.without(Portraits.of(small_scorer, images[:3]))
    for known in (controls, left):
        with pytest.raises(InvalidConfiguration, match=r"embedded by semsim-default .* got those of another model"):
            known.require_model(bundled)
    dimension = bundled.manifest.embedding.dimension
    with pytest.raises(InvalidConfiguration, match=f"embeddings of {dimension} numbers, got 12"):
        Controls(controls.portraits).require_model(bundled)


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_copies_are_found_whatever_the_length_of_embeddings(scale: float) -> None:
    """A copy of an original among the controls does not count, also where the model gives no unit embeddings."""
    rng = np.random.default_rng(0)
    public = portraits(rng, 120)
    controls = Controls(Portraits(public.embeddings * scale, public.edges))
    nearly = Portraits(controls.portraits.embeddings[:3] * 1.01, public.edges[:3])
    assert len(controls.without(nearly)) == 117
