"""Contact sheets that are dealt to many annotators."""

from collections import Counter
from pathlib import Path

import pytest

from semsim.exceptions import InvalidOption
from semsim.scorer import Scorer
from semsim_training.annotation.items import Shown
from semsim_training.annotation.keys import SheetKey
from semsim_training.annotation.sheets.contact_sheets import SheetRequest
from semsim_training.annotation.sheets.dealt_sheets import DealRequest, deal_sheets
from semsim_training.annotation.sheets.sheet_image import SheetLayout
from tests.training.annotation.sets import write_set

pytestmark = pytest.mark.slow

SHEETS = SheetRequest("v", 3, clean=2, noise=1, repeats=2, layout=SheetLayout(tile=32, columns=1, rows=1))
REQUEST = DealRequest(SHEETS, annotators=2, meetings=2, largest=24)


def test_two_sets_of_the_same_originals_are_dealt_together(tmp_path: Path) -> None:
    """Each reconstruction of both sets goes to two annotators, and nobody meets an original more than twice."""
    sets = [write_set(tmp_path / name, settings=3, name=name) for name in ("one", "two")]
    made = deal_sheets(sets, tmp_path / "out", tmp_path / "keys", REQUEST, Scorer())
    judged: Counter[tuple[str, str]] = Counter()
    for key in made:
        assert SheetKey.read(tmp_path / "keys" / f"{key.annotator}.key.json") == key
        assert len(list((tmp_path / "out" / key.annotator).glob("*.png"))) == len(key.sheets) <= 24
        shown = [tile for tile in key.tiles.values() if tile.shown is Shown.RECONSTRUCTION and not tile.repeat]
        judged.update((tile.dataset, tile.item) for tile in shown)
        assert Counter(tile.shown for tile in key.tiles.values())[Shown.CLEAN] == 2
    assert len(judged) == 36
    assert set(judged.values()) == {2}
    assert sorted(key.annotator for key in made) == ["v-1-01", "v-1-02", "v-1-03", "v-2-01", "v-2-02", "v-2-03"]


def test_sets_of_other_classes_are_refused(tmp_path: Path) -> None:
    """An annotator chooses from one list of classes."""
    sets = [write_set(tmp_path / f"{classes}", classes=classes, name=f"s{classes}") for classes in (2, 3)]
    with pytest.raises(InvalidOption, match=r"expected sets of the same classes, .* got s2 of 2 and s3 of 3"):
        deal_sheets(sets, tmp_path / "out", tmp_path / "keys", REQUEST, Scorer())
