"""Execution providers beside the CPU: each step in its time, and nothing lost where one fails."""

from pathlib import Path

import numpy as np
import pytest

from semsim import Scorer
from semsim.images import resize_batch
from semsim.providers import Provider, unavailable_reason
from semsim_export.parity_pairs import degraded_pairs
from semsim_export.provider_report import CORE, DEFAULT, MARK, ProviderRun, measure_step
from semsim_export.provider_sessions import (
    BATCHES,
    DistanceAgreement,
    KnownDistances,
    ProviderRate,
    SessionVariant,
    agreement_of,
    rate_of,
)
from tests.encoded import picture

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def known(bundled: Scorer) -> KnownDistances:
    """16 pairs with the distances that the bundled model gives them."""
    size = bundled.manifest.input
    images = resize_batch([picture(40, 40, seed=seed) for seed in range(16)], size.height, size.width, size.filter)
    originals, reconstructions = degraded_pairs(images, 0)
    scores = bundled.score_images(list(originals), list(reconstructions))
    return KnownDistances(originals, reconstructions, np.array([score.distance for score in scores]))


def test_bound_inputs_and_outputs_give_the_librarys_distances(known: KnownDistances) -> None:
    """The CPU agrees with itself, with convolutions in half precision nearly so, and each batch has a rate."""
    same, half = (agreement_of(SessionVariant("", CORE.settings, half=half), known) for half in (False, True))
    assert same == DistanceAgreement(pytest.approx(1.0), pytest.approx(0.0, abs=1e-5), 0.0)
    assert 0 < half.difference < 0.02
    rate = rate_of(CORE, 2)
    assert rate.bound > 0
    assert rate.library is not None
    assert rate_of(SessionVariant("", CORE.settings, cuda_graphs=True), 2).library is None


@pytest.mark.skipif(unavailable_reason(Provider.CUDA) is None, reason="needs a machine without a usable GPU")
def test_a_step_that_fails_or_takes_too_long_is_told_and_the_page_has_it(known: KnownDistances, tmp_path: Path) -> None:
    """A missing provider is a note with its reason, as is a step that its time does not suffice for."""
    page = tmp_path / "page.md"
    page.write_text(f"<!-- {MARK} --><!-- {MARK} -->")
    run = ProviderRun("A machine.", page)
    measure_step(run, CORE, known, 0.01)
    measure_step(run, DEFAULT, known, 120.0)
    assert run.notes[0] == "CPU, one core: not finished in 0 s"
    assert run.notes[1].startswith("CUDA, tf32: the default: ProviderUnavailable: expected the cuda execution provider")
    assert all(note in page.read_text() for note in run.notes)


def test_the_goals_are_told_once_both_sides_are_there() -> None:
    """The worst of all batches decides over bound inputs, and the best ones over the card beside one core."""
    run = ProviderRun("A machine.", None)
    run.agreements = dict.fromkeys((CORE.title, DEFAULT.title), DistanceAgreement(0.99999, 1e-4, 0.002))
    run.rates[CORE.title] = {16: ProviderRate(16, 1000.0, 900.0)}
    assert "Goals" not in run.text()
    run.rates[DEFAULT.title] = {1: ProviderRate(1, 2600.0, 2000.0), 1024: ProviderRate(1024, 90000.0, 89000.0)}
    text = run.text()
    assert "as fast as the library: **could not tell**, 1.30 at the worst batch" in text
    assert "as one core: **could not tell**, 98.9. Some batches were not measured." in text
    assert "| CUDA, tf32: the default | 0.99999 | 1.0e-04 | 0.20% | 2,000 (1.30) | not measured |" in text
    run.rates[DEFAULT.title][4] = ProviderRate(4, 2700.0, 2000.0)
    assert "as fast as the library: **not reached**, 1.35 at the worst batch" in run.text()
    run.rates[DEFAULT.title] |= {n: ProviderRate(n, 2000.0, 2000.0) for n in BATCHES[1:-1]}
    run.rates[CORE.title] = {n: ProviderRate(n, 900.0, 900.0) for n in BATCHES}
    assert "as fast as the library: **reached**, 1.30 at the worst batch" in run.text()
    assert "as one core: **not reached**, 98.9." in run.text()
