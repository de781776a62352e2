"""Changed copies of originals, for annotators and for a model."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semsim.exceptions import InvalidDataset
from semsim.images import RGBImage
from semsim.scorer import PairScore, Scorer
from semsim.uninformative import Uninformative
from semsim_training.annotation.items import ItemSet, Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement, append
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.metric.changed_copies import judged_changes_table, write_changed_copies
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from tests.training.annotation.sets import write_set


def test_copies_are_a_set_of_test_originals(tmp_path: Path) -> None:
    """Each chosen test original has every change; the pictures are those changes; a set is not overwritten."""
    source = write_set(tmp_path / "source", originals=9)
    made = write_changed_copies(source, tmp_path / "copies", 2, ("mirrored", "noise, sigma 30"))
    assert (made.name, made.rows, made.settings) == ("small-changed", 4, 2)
    copies = ReconstructionSet.read(tmp_path / "copies")
    for row in copies.rows:
        assert row.split == "test"
        if row.attack == "mirrored":
            np.testing.assert_array_equal(copies.reconstruction(row), copies.original(row)[:, ::-1])
    with pytest.raises(InvalidDataset, match="expected no set in"):
        write_changed_copies(source, tmp_path / "copies", 2)
    with pytest.raises(InvalidDataset, match="expected at least 4 test originals"):
        write_changed_copies(source, tmp_path / "more", 4)


class Known(Scorer):
    """A scorer that recognises mirrored copies alone."""

    def __init__(self) -> None:
        """Load nothing."""

    def score_images(
        self, originals: Iterable[RGBImage], reconstructions: Iterable[RGBImage], **_: Any
    ) -> list[PairScore]:
        """A leakage of .9 for a mirrored copy, none for one that lost half of its contrast, and of .1 for another."""
        scores = []
        for original, copy in zip(originals, reconstructions, strict=True):
            seen = np.array_equal(original[:, ::-1], copy)
            if copy.std() < 0.6 * original.std():
                dim = Uninformative.BLANK
                scores.append(PairScore(0.5, None, None, mse=1, psnr=1, ssim=1, resized=False, uninformative=dim))
            else:
                scores.append(PairScore(0.5, 0.9 if seen else 0.1, seen, mse=1, psnr=1, ssim=1, resized=False))
        return scores


def test_the_table_compares_annotators_with_the_model(tmp_path: Path) -> None:
    """A change that all name and the model recognises has 100% twice, another 0%; one without leakages says so."""
    write_changed_copies(
        write_set(tmp_path / "source", originals=9), tmp_path / "copies", 3,
        ("mirrored", "noise, sigma 30", "half the contrast"),
    )  # fmt: skip
    items = ItemSet.read(tmp_path / "copies")
    judgements = [
        Judgement(
            items.name, item.identifier, Shown.RECONSTRUCTION, f"v{number}", AnnotatorKind.VISION_MODEL,
            item.truth if item.row is not None and item.row.attack == "mirrored" else None, item.truth, "sheets/1",
        )
        for item in items.items
        for number in range(2)
    ]  # fmt: skip
    append(tmp_path / "table", judgements)
    judged = JudgedSet.read(items.reconstructions, tmp_path / "table", AnnotatorKind.VISION_MODEL)
    lines = judged_changes_table([judged], Known()).splitlines()
    assert lines[2] == "| mirrored | 3 | 100% (61% to 100%) | 0.90 | 100% (44% to 100%) | 0% (0% to 56%) |"
    assert lines[3] == "| noise, sigma 30 | 3 | 0% (0% to 39%) | 0.10 | 0% (0% to 56%) | 0% (0% to 56%) |"
    assert lines[4] == "| half the contrast | 3 | 0% (0% to 39%) | - | 0% (0% to 56%) | 100% (44% to 100%) |"
