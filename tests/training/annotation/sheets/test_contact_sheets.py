"""Contact sheets for one annotator."""

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semsim.exceptions import InvalidDataset, InvalidOption
from semsim_training.annotation.items import ItemSet, Shown
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.annotation.keys import SheetKey
from semsim_training.annotation.sheets.contact_sheets import SheetRequest, make_sheets
from semsim_training.annotation.sheets.sheet_image import SheetLayout, draw_contact_sheet
from semsim_training.reconstructions.schema import SPLITS

pytestmark = pytest.mark.slow

REQUEST = SheetRequest("ada", 3, AnnotatorKind.PERSON, ("test",), limit=50, clean=4, noise=2, repeats=3)


@pytest.fixture(scope="module")
def made(wide_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the sheets of ``REQUEST`` in ``out`` and their key."""
    root = tmp_path_factory.mktemp("sheets")
    make_sheets(wide_set, root / "out", root / "ada.key.json", REQUEST)
    return root


def test_what_is_handed_out_and_what_is_not(made: Path) -> None:
    """The annotator gets two sheets for 59 tiles, instructions and a form. The key outside tells each tile."""
    assert sorted(path.name for path in (made / "out").iterdir()) == [
        "answers.json", "instructions.md", "sheet-1.png", "sheet-2.png",
    ]  # fmt: skip
    key = SheetKey.read(made / "ada.key.json")
    assert (key.protocol, key.tiles[1].dataset, key.annotator, key.kind, key.seed) == (
        "sheets/1",
        "secretset",
        "ada",
        "person",
        3,
    )
    assert list(key.tiles) == list(range(1, 60))
    shown = [tile.shown for tile in key.tiles.values() if tile.repeat == 0]
    assert {kind: shown.count(kind) for kind in Shown} == {"reconstruction": 50, "clean": 4, "noise": 2}
    form = json.loads((made / "out" / "answers.json").read_text())
    assert form == {"sheets": key.code} | {str(number): None for number in range(1, 60)}
    for name, sha256 in key.sheets.items():
        assert hashlib.sha256((made / "out" / name).read_bytes()).hexdigest() == sha256


def test_classes_that_no_original_has_are_offered_too(wide_set: Path, tmp_path: Path) -> None:
    """They stand among the classes of the key and of the instructions, in the order of their names."""
    request = replace(REQUEST, others=("zebra", "ant"))
    key = make_sheets(wide_set, tmp_path / "out", tmp_path / "key.json", request)
    assert key.classes == ("ant", *ItemSet.read(wide_set).classes, "zebra")
    instructions = (tmp_path / "out" / "instructions.md").read_text()
    assert "* `0` = ant\n* `1` = class_0\n" in instructions
    assert "* `11` = zebra\n" in instructions
    assert {tile.truth for tile in key.tiles.values()} & set(request.others) == set()


def test_sheets_are_blind(wide_set: Path, made: Path) -> None:
    """Sheets carry no metadata. No text names an item, an original, a setting or how the images came about."""
    item_set = ItemSet.read(wide_set, ["test"])
    for path in (made / "out").glob("*.png"):
        with Image.open(path) as sheet:
            assert sheet.info == {}
            assert 900 < sheet.width < 1600
    text = "".join(path.read_text() for path in (made / "out").glob("*.[jm]*")).lower()
    for word in ("attack", "original", "reconstruct", "gradient", "gold", "noise", "repeat", "secretset"):
        assert word not in text
    for item in item_set.items:
        assert item.identifier not in text
        assert item.image.lower() not in text
        assert item.row is not None
        assert item.row.setting.lower() not in text
    for name in item_set.classes:
        assert name.lower() in text


def test_a_tile_is_its_item_enlarged(wide_set: Path, made: Path) -> None:
    """Every tile of the first sheet holds the pixels of the item that the key says."""
    key = SheetKey.read(made / "ada.key.json")
    item_set = ItemSet.read(wide_set, ["test"])
    items = {item.identifier: item for item in item_set.items}
    with Image.open(made / "out" / "sheet-1.png") as sheet:
        pixels = np.asarray(sheet)
    height = 128 + 24 + 26
    bottom = pixels.shape[0] - 28
    for number in range(1, 31):
        line, column = divmod(number - 1, 6)
        top, left = bottom - 128 - (4 - line) * height, 28 + column * (128 + 24)
        tile = pixels[top : top + 128, left : left + 128]
        if key.tiles[number].item in items:
            small = np.asarray(Image.open(io.BytesIO(item_set.png(items[key.tiles[number].item]))))
            np.testing.assert_array_equal(tile, small.repeat(2, axis=0).repeat(2, axis=1))


def test_the_same_request_makes_the_same_bytes(wide_set: Path, made: Path, tmp_path: Path) -> None:
    """Sheets, form, instructions and key are the same. Another annotator gets the same items in another order."""
    make_sheets(wide_set, tmp_path / "out", tmp_path / "ada.key.json", REQUEST)
    for path in (path for path in made.rglob("*") if path.is_file()):
        assert (tmp_path / path.relative_to(made)).read_bytes() == path.read_bytes()
    ada = SheetKey.read(made / "ada.key.json")
    bob = make_sheets(wide_set, tmp_path / "bob", tmp_path / "bob.key.json", replace(REQUEST, annotator="bob"))
    assert bob.code != ada.code
    assert [tile.item for tile in bob.tiles.values()] != [tile.item for tile in ada.tiles.values()]
    assert {tile.item for tile in bob.tiles.values()} == {tile.item for tile in ada.tiles.values()}


def test_smooth_tiles_are_another_protocol(wide_set: Path, tmp_path: Path) -> None:
    """The protocol says how images are enlarged."""
    request = replace(REQUEST, limit=3, repeats=0, layout=SheetLayout(tile=96, columns=3, rows=2, smooth=True))
    key = make_sheets(wide_set, tmp_path / "out", tmp_path / "key.json", request)
    assert key.protocol == "sheets/1-smooth"
    assert list(key.sheets) == ["sheet-1.png", "sheet-2.png"]


def test_nothing_is_overwritten_and_no_key_handed_out(wide_set: Path, made: Path, tmp_path: Path) -> None:
    """A used directory, a key within it and a key that is there are refused before anything is written."""
    with pytest.raises(InvalidOption, match="expected an empty or a new directory for the sheets"):
        make_sheets(wide_set, made / "out", tmp_path / "key.json", REQUEST)
    with pytest.raises(InvalidOption, match="expected the key outside"):
        make_sheets(wide_set, tmp_path / "out", tmp_path / "out" / ".." / "out" / "key.json", REQUEST)
    with pytest.raises(InvalidOption, match="expected no file yet at"):
        make_sheets(wide_set, tmp_path / "out", made / "ada.key.json", REQUEST)
    with pytest.raises(InvalidOption, match=r"pseudonym of letters, digits, \. _ and -, got '\.\./ada'"):
        make_sheets(wide_set, tmp_path / "out", tmp_path / "key.json", replace(REQUEST, annotator="../ada"))
    with pytest.raises(InvalidDataset, match="expected at least 400 originals"):
        make_sheets(wide_set, tmp_path / "out", tmp_path / "key.json", replace(REQUEST, clean=400))
    assert not list(tmp_path.iterdir())


def test_sheets_without_originals_need_no_data_set(without_originals: Path, tmp_path: Path) -> None:
    """Reconstructions and noise make sheets without the data set. With a clean original nothing is written."""
    request = replace(REQUEST, splits=SPLITS, limit=3, clean=0, repeats=0, seed=0)
    key = make_sheets(without_originals, tmp_path / "out", tmp_path / "key.json", request)
    assert len(key.tiles) == 5
    with pytest.raises(InvalidDataset, match="clean gold items show originals"):
        make_sheets(without_originals, tmp_path / "gold", tmp_path / "gold.json", replace(request, clean=1))
    assert not list(tmp_path.glob("gold*"))


def test_layouts_that_cannot_be_read_are_refused() -> None:
    """Refused are tiles that are too small, and layouts without columns or rows."""
    for layout in ({"tile": 16}, {"columns": 0}, {"rows": 0}):
        with pytest.raises(InvalidOption, match="expected tiles of at least 32 pixels in at least 1 column and 1 row"):
            SheetLayout(**layout)


def test_a_sheet_is_as_high_as_its_tiles_need() -> None:
    """Two tiles make one row, however many a sheet could hold. A sheet is as wide as its text needs."""
    sink = io.BytesIO()
    Image.new("L", (32, 32), 255).save(sink, "PNG")
    short = draw_contact_sheet("title", ["cat", "dog"], {1: sink.getvalue(), 2: sink.getvalue()}, SheetLayout())
    assert short.mode == "RGB"
    assert short.height < 350
    narrow = draw_contact_sheet("title " * 20, ["cat", "dog"], {1: sink.getvalue()}, SheetLayout(columns=1))
    assert narrow.width > 800
    assert np.asarray(short)[-40, 40].tolist() == [255, 255, 255]
    assert np.asarray(short)[-10, 10].tolist() == [128, 128, 128]
