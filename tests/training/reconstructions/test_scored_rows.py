"""Reconstructions with their scores, and the statements that they allow."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semsim import Scorer
from semsim.exceptions import ErrorCode
from semsim.pairs import PairFailure
from semsim.scorer import PairScore
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.scored_rows import DIVERGED, ScoredRow, score_rows
from semsim_training.reconstructions.verdict import Verdict, verdict_of
from tests.conftest import CPU
from tests.training.judged.made_up import made_up_set
from tests.training.small import smooth_images


@pytest.fixture(scope="module")
def scorer(calibrated_artifact: Path) -> Scorer:
    """A scorer of the small calibrated artifact."""
    return Scorer(calibrated_artifact, providers=CPU)


def test_as_the_scorer_says_in_the_order_of_the_rows(scorer: Scorer, tmp_path: Path) -> None:
    """Each row has the scores of its own pair."""
    one = made_up_set(originals=3, settings=2)
    made = ReconstructionSet.read(one.write(tmp_path / "set"))
    scored = score_rows(made, made.rows, scorer)
    assert [each.row for each in scored] == list(made.rows)
    for each in scored:
        pair = scorer.score(one.original(each.row), one.reconstruction(each.row))
        assert isinstance(each.outcome, PairScore)
        assert each.outcome.leakage == pytest.approx(pair.leakage, abs=1e-5)
        assert each.outcome.psnr == pair.psnr == each.row.psnr


def test_what_cannot_be_scored_has_a_reason_and_no_leakage(scorer: Scorer, tmp_path: Path) -> None:
    """A diverged attack, another picture by the original's name and a missing original fail alone, each as itself."""
    one = made_up_set(originals=4, settings=1)
    rows = (replace(one.rows[0], status="diverged"), *one.rows[1:])
    home = replace(one, rows=rows).write(tmp_path / "set")
    places = [home / "originals" / row.dataset / row.image for row in rows]
    Image.fromarray(smooth_images(1, seed=9)[0]).save(places[1])
    places[2].unlink()
    made = ReconstructionSet.read(home)
    diverged, other, missing, last = score_rows(made, made.rows, scorer)
    assert diverged.outcome is DIVERGED
    assert (diverged.score, diverged.failure) == (None, None)
    for each, code in ((other, ErrorCode.HASH_MISMATCH), (missing, ErrorCode.INVALID_DATASET)):
        assert isinstance(each.failure, PairFailure)
        assert each.failure.code is code
        assert each.score is None
    assert last.score is not None
    assert last.score.leakage is not None


def scored(status: str, recognizable: bool | None) -> ScoredRow:
    """A row with a status, scored or not."""
    row = replace(made_up_set(originals=1, settings=1).rows[0], status=status)
    if recognizable is None:
        return ScoredRow(row, DIVERGED if status == "diverged" else PairFailure(ErrorCode.INVALID_DATASET, "missing"))
    return ScoredRow(row, PairScore(1.0, float(recognizable), recognizable, 1.0, 1.0, 1.0, False))


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([("matched", True), ("diverged", None)], Verdict.LEAKS),
        ([("nothing_found", True), ("nothing_found", False)], Verdict.LEAKS),
        ([("matched", False), ("done", False)], Verdict.NOT_SHOWN),
        ([("nothing_found", False), ("diverged", None)], Verdict.NOT_SHOWN),
        ([("nothing_found", None)], Verdict.NOT_SHOWN),
        ([("diverged", None), ("diverged", None)], Verdict.UNKNOWN),
        ([("partly", None), ("nothing_found", False)], Verdict.UNKNOWN),
        ([("done", None)], Verdict.UNKNOWN),
    ],
)
def test_no_statement_says_safe(rows: list[tuple[str, bool | None]], verdict: Verdict) -> None:
    """A failed or missing reconstruction is no protection: a setting leaks, does not, or nobody could tell."""
    assert verdict_of([scored(*row) for row in rows]) is verdict


def test_an_artifact_without_calibration_tells_nothing(small_scorer: Scorer, tmp_path: Path) -> None:
    """Distances without leakage allow no statement."""
    made = ReconstructionSet.read(made_up_set(originals=2, settings=1).write(tmp_path / "set"))
    rows = score_rows(made, made.rows, small_scorer)
    assert all(each.score is not None and each.score.leakage is None for each in rows)
    assert verdict_of(rows) is Verdict.UNKNOWN
    assert np.isfinite([each.score.distance for each in rows if each.score is not None]).all()
