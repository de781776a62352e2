"""Contact sheets: tiles, captions, and the same originals for every setting."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semsim import Scorer
from semsim.exceptions import InvalidDataset
from semsim_training.reconstructions.gallery import draw_gallery
from tests.conftest import CPU
from tests.training.judged.made_up import MadeUpSet, made_up_set

TILE, GAP, TITLE, CAPTION = 96, 6, 20, 18
"""The sides in pixels of a tile of 32 pixels, and of what is around it."""
ORIGINALS, RECONSTRUCTIONS = TITLE + TILE + GAP, TITLE + TILE + CAPTION + GAP


@pytest.fixture(scope="module")
def scorer(calibrated_artifact: Path) -> Scorer:
    """A scorer of the small calibrated artifact."""
    return Scorer(calibrated_artifact, providers=CPU)


def of_one_data_set(originals: int, settings: int) -> MadeUpSet:
    """A made-up set whose originals are of one data set."""
    one = made_up_set(originals, settings)
    return replace(one, rows=tuple(replace(row, dataset="set") for row in one.rows))


def tile(sheet: Image.Image, column: int, top: int) -> np.ndarray:
    """The picture behind a tile, at its own size."""
    left = GAP + column * (TILE + GAP)
    return np.asarray(sheet.crop((left, top, left + TILE, top + TILE)))[1::3, 1::3]


def test_originals_stand_above_their_reconstructions(scorer: Scorer, tmp_path: Path) -> None:
    """A setting has two lines; from the first column to the last, less leaks."""
    one = of_one_data_set(4, 2)
    sheet = draw_gallery(one.write(tmp_path / "set"), scorer, columns=3)
    both = TITLE + TILE + GAP + TILE + CAPTION + GAP
    assert sheet.height == GAP + 2 * both + TITLE + GAP
    leakages = []
    for column in range(3):
        original = tile(sheet, column, GAP + TITLE)
        (row,) = (row for row in one.rows[::2] if np.array_equal(one.original(row), original))
        reconstruction = tile(sheet, column, GAP + TITLE + TILE + GAP)
        assert np.array_equal(one.reconstruction(row), reconstruction)
        leakages.append(scorer.score_images([original], [reconstruction])[0].leakage)
    assert leakages == sorted(leakages, reverse=True)


def test_aligned_settings_share_their_originals(scorer: Scorer, tmp_path: Path) -> None:
    """One line of originals, those that most settings attacked; below it one line for each setting, column by column.

    What a setting did not attack, and what diverged, is an empty tile.
    """
    one = of_one_data_set(4, 3)
    rows = tuple(row for row in one.rows if (row.setting, row.image) != ("setting-2", "image-00.png"))
    rows = (replace(rows[0], status="diverged"), *rows[1:])
    home = replace(one, rows=rows).write(tmp_path / "set")
    sheet = draw_gallery(home, scorer, columns=3, align=True)
    assert sheet.height == GAP + ORIGINALS + 3 * RECONSTRUCTIONS + TITLE + GAP
    tops = [GAP + ORIGINALS + number * RECONSTRUCTIONS + TITLE for number in range(3)]
    for column in range(3):
        original = tile(sheet, column, GAP + TITLE)
        of_original = [row for row in rows if np.array_equal(one.original(row), original)]
        assert len(of_original) == 3, "image-00.png is not in every setting"
        for row, top in zip(of_original, tops, strict=True):
            assert np.array_equal(one.reconstruction(row), tile(sheet, column, top))
    narrow = draw_gallery(home, scorer, columns=3, settings="setting-0", align=True)
    ends = tile(narrow, 2, GAP + ORIGINALS + TITLE)
    assert len(np.unique(ends[2:-2, 2:-2])) == 1, "the row that diverged is last, and has no picture"


def test_no_such_setting_and_no_originals(scorer: Scorer, tmp_path: Path) -> None:
    """Both are refused."""
    home = of_one_data_set(2, 2).write(tmp_path / "set")
    with pytest.raises(InvalidDataset, match="expected a setting whose name contains 'vit'"):
        draw_gallery(home, scorer, settings="vit")
    (home / "originals").rename(home / "elsewhere")
    with pytest.raises(InvalidDataset, match="expected the originals of set"):
        draw_gallery(home, scorer)
