"""Batches of comparisons."""

from dataclasses import replace

import numpy as np
import pytest

from semsim.exceptions import InvalidAnnotations
from semsim_training.metric.metric_recipe import PAPER
from semsim_training.metric.sampling import batches, steps_per_epoch
from tests.training.metric.small import judged, recipe, with_recognised, with_rows

SET = judged()


def test_triplets_are_those_of_the_paper() -> None:
    """Each recognised reconstruction comes once an epoch, with its original and an unrecognised one of the same."""
    seen = []
    for batch in batches(SET, PAPER, seed=0, epoch=0):
        positives = batch.reconstructions[batch.nearer[:, 1]]
        negatives = batch.reconstructions[batch.farther[:, 1]]
        anchors = batch.originals[batch.nearer[:, 0]]
        assert (batch.nearer[:, 0] == batch.farther[:, 0]).all()
        assert SET.judged.majority[positives].all()
        assert not SET.judged.majority[negatives].any()
        assert (SET.original_of[positives] == anchors).all()
        assert (SET.original_of[negatives] == anchors).all()
        seen += positives.tolist()
    assert sorted(seen) == np.flatnonzero(SET.judged.majority).tolist()


def test_a_triplet_without_a_negative_takes_another_images() -> None:
    """Where all of an original's reconstructions were recognised, the negative is of another original."""
    recognised = SET.judged.recognised.copy()
    recognised[SET.original_of == 0] = 3
    easy = with_recognised(SET, recognised)
    others = [
        int(easy.original_of[batch.reconstructions[farther]])
        for batch in batches(easy, PAPER, seed=0, epoch=0)
        for (anchor, _), (_, farther) in zip(batch.nearer, batch.farther, strict=True)
        if batch.originals[anchor] == 0
    ]
    assert len(others) == 4
    assert 0 not in others


@pytest.mark.parametrize("anchors", ["same", "any"])
def test_groups_compare_all_that_differ(anchors: str) -> None:
    """Any two reconstructions of a batch with different shares are compared, of one original or of any."""
    for batch in batches(SET, recipe(anchors=anchors), seed=0, epoch=1):
        assert len(set(batch.originals.tolist())) == len(batch.originals) == 4
        assert (batch.originals[batch.group] == SET.original_of[batch.reconstructions]).all()
        shares = SET.judged.shares[batch.reconstructions]
        expected = {
            (i, j)
            for i in range(len(shares))
            for j in range(len(shares))
            if shares[i] > shares[j] and (anchors == "any" or batch.group[i] == batch.group[j])
        }
        assert set(zip(batch.nearer[:, 1].tolist(), batch.farther[:, 1].tolist(), strict=True)) == expected
        assert (batch.group[batch.nearer[:, 1]] == batch.nearer[:, 0]).all()
        assert (batch.group[batch.farther[:, 1]] == batch.farther[:, 0]).all()


def test_strangers_are_clear_and_of_another_class() -> None:
    """A recognised reconstruction is compared with those and originals of other classes, which count as 0."""
    several = with_rows(SET, lambda row: replace(row, class_name=f"class {int(row.image[6:8]) % 3}"))
    plain, with_strangers = (
        list(batches(several, recipe(strangers=strangers), seed=0, epoch=0)) for strangers in (False, True)
    )
    for without, batch in zip(plain, with_strangers, strict=True):
        known = len(without.nearer)
        assert (batch.nearer[:known] == without.nearer).all()
        shares, labels = several.judged.shares[batch.reconstructions], several.labels[batch.originals]
        strangers = list(zip(batch.nearer[known:], batch.farther[known:], batch.difference[known:], strict=True))
        count, originals = len(shares), 0
        for (anchor, mine), (same_anchor, stranger), difference in strangers:
            assert anchor == same_anchor == batch.group[mine]
            of = stranger - count if stranger >= count else batch.group[stranger]
            assert labels[batch.group[mine]] != labels[of]
            assert shares[mine] > 0
            assert stranger >= count or shares[stranger] > 0
            assert difference == shares[mine]
            originals += stranger >= count
        assert 0 < originals < len(strangers)


@pytest.mark.parametrize("changed", [{}, {"sampling": "triplets"}])
def test_an_epoch_hangs_on_its_number(changed: dict[str, object]) -> None:
    """The same seed and epoch give the same batches, as many as announced; another epoch gives others."""
    chosen = recipe(**changed)
    first, again, other = (
        [batch.reconstructions.tolist() for batch in batches(SET, chosen, seed=3, epoch=epoch)] for epoch in (0, 0, 1)
    )
    assert first == again != other
    assert len(first) == steps_per_epoch(SET, chosen)


def test_nothing_to_compare_is_refused() -> None:
    """Where none was recognised, the error counts."""
    with pytest.raises(InvalidAnnotations, match="got 0 recognised of 48"):
        next(batches(with_recognised(SET, np.zeros(48, dtype=np.int64)), recipe(), 0, 0))
