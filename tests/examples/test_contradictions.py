"""The rule that chooses the picture of the README, and the picture itself."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from examples import draw_pair
from examples.contradictions import Chosen, Contrast, Seen, agreement, choose, contrasts
from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.items import ItemSet, Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement, append
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from tests.conftest import ROOT

BLACK = np.zeros((64, 64, 3), dtype=np.uint8)


def seen(class_name: str, setting: str, psnr: float, ssim: float, leakage: float | None, recognised: int) -> Seen:
    """A reconstruction that ``recognised`` of three annotators recognised."""
    return Seen(BLACK, f"{class_name}.png", class_name, setting, BLACK, psnr, ssim, leakage, recognised, 3)


def contradiction(class_name: str, gap: float, recognised: int = 3) -> list[Seen]:
    """Two reconstructions, of which PSNR and SSIM prefer by ``gap`` the one that nobody recognised."""
    shown = seen(class_name, "shown", 15.0 - 10 * gap, 0.5 - gap, 0.9, recognised)
    return [seen(class_name, "hidden", 15.0, 0.5, 0.1, 0), shown]


def names(pairs: tuple[Contrast, ...]) -> list[tuple[str, str, str]]:
    """The class of each pair, and its settings: that of the more recognised one first."""
    return [(pair.recognised.class_name, pair.recognised.setting, pair.other.setting) for pair in pairs]


def test_the_largest_contradiction_of_each_of_three_classes() -> None:
    """The recognised share counts first, then the smallest of the metrics' margins. No class comes twice."""
    items = [
        *contradiction("cat", 0.1),
        seen("cat", "more hidden", 25.0, 0.9, 0.05, 0),
        *contradiction("cup", 0.4, recognised=2),
        *contradiction("rocket", 0.3),
        *contradiction("retina", 0.2, recognised=1),
    ]
    chosen = choose(items)
    assert names(chosen.contradictions) == [
        ("cat", "shown", "more hidden"),
        ("rocket", "shown", "hidden"),
        ("cup", "shown", "hidden"),
    ]
    assert chosen.error is None


def test_other_settings_come_first() -> None:
    """A setting that was recognised in one contradiction is in another only where no other setting has any."""
    alike = [one for name, gap in (("cat", 0.4), ("cup", 0.3), ("rocket", 0.2)) for one in contradiction(name, gap)]
    other = seen("rocket", "also shown", 14.9, 0.49, 0.8, 3)
    assert names(choose([*alike, other]).contradictions) == [
        ("cat", "shown", "hidden"),
        ("rocket", "also shown", "hidden"),
        ("cup", "shown", "hidden"),
    ]


def test_pixel_metrics_must_both_be_wrong_and_semsim_right() -> None:
    """Where one of PSNR and SSIM is right, or SemSim is undecided, there is no contradiction."""
    for change in ({"psnr": 15.5}, {"ssim": 0.55}, {"leakage": 0.1}):
        hidden, shown = contradiction("cat", 0.1)
        assert choose([hidden, replace(shown, **change)]) == Chosen((), None)


def test_semsims_largest_error_is_of_another_class() -> None:
    """Its error of a class that a contradiction shows is passed over, however large it is."""
    items = [
        *contradiction("cat", 0.1),
        seen("cat", "missed", 20.0, 0.6, 0.01, 3),
        *(seen("cup", setting, 15.0, 0.5, leakage, 3) for setting, leakage in (("missed", 0.2), ("nearly", 0.3))),
        seen("cup", "overrated", 10.0, 0.4, 0.4, 0),
    ]
    chosen = choose(items)
    assert names(chosen.contradictions) == [("cat", "shown", "hidden")]
    assert chosen.error is not None
    assert names((chosen.error,)) == [("cup", "missed", "overrated")]


def test_what_is_compared() -> None:
    """Pairs of one original that enough annotators recognised unequally often, and that have a leakage."""
    hidden, shown = contradiction("cat", 0.1)
    assert names(tuple(contrasts([hidden, shown]))) == [("cat", "shown", "hidden")]
    assert names(tuple(contrasts([shown, hidden]))) == [("cat", "shown", "hidden")]
    for other in (
        replace(shown, recognised=0), replace(shown, leakage=None), replace(shown, image="cat-2.png"),
        replace(shown, recognised=2, annotators=2),
    ):  # fmt: skip
        assert contrasts([hidden, other]) == []


def test_agreement_counts_a_tie_half() -> None:
    """The share of pairs that a metric orders as the annotators do."""
    hidden, shown = contradiction("cat", 0.1)
    pairs = contrasts([hidden, shown]) + contrasts([hidden, replace(shown, psnr=16.0, leakage=0.1)])
    assert agreement(pairs) == {"PSNR": 0.5, "SSIM": 0.0, "SemSim": 0.75}


def test_the_picture_tells_who_leaks_more() -> None:
    """900 pixels wide, two panels beside each other; no picture without three contradictions."""
    items = [one for name, gap in (("cat", 0.1), ("cup", 0.2), ("rocket", 0.3)) for one in contradiction(name, gap)]
    chosen = choose([*items, seen("retina", "missed", 9.0, 0.1, 0.2, 3), seen("retina", "blur", 8.0, 0.1, 0.7, 0)])
    picture = draw_pair.draw(chosen)
    assert (picture.mode, picture.width) == ("RGB", 900)
    assert picture.height > draw_pair.draw(replace(chosen, contradictions=chosen.contradictions[:1])).height
    told = draw_pair.table(chosen, contrasts(items))
    assert "| cat | `shown` | 14.0 dB | 0.40 | 0.90 | 3 of 3 vision models |" in told
    assert "of 3 pairs" in told
    said = draw_pair.caption(chosen)
    assert "cat, A: PSNR 14.0 dB, SSIM 0.40, SemSim's leakage 0.90, recognised by 3 of 3 vision models; cat, B" in said
    assert "and the largest error of SemSim" in said
    assert "PSNR 0%, SSIM 0%, SemSim 100%" in told


def test_the_judged_photographs_are_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Judgements of annotators who know their gold items count; without any the picture is refused."""
    table = tmp_path_factory.mktemp("judgements")
    photographs = ReconstructionSet.read(draw_pair.PHOTOGRAPHS)
    with pytest.raises(InvalidAnnotations):
        draw_pair.read_seen(judgements=table)
    append(table, [*_gold("v-1"), *_answers(photographs, "v-1")])
    read = draw_pair.read_seen(judgements=table)
    assert len(read) == sum(row.done for row in photographs.rows)
    assert {one.annotators for one in read} == {1}
    assert {one.recognised for one in read} == {0, 1}


def test_the_page_tells_the_committed_choice() -> None:
    """The table beside the set and the README's text are what the rule gives with the bundled model."""
    if not draw_pair.JUDGEMENTS.is_dir():
        pytest.skip("nobody has judged the photographs yet")
    made = draw_pair.read_seen()
    assert min(one.annotators for one in made) >= 3
    page = (draw_pair.PHOTOGRAPHS / "README.md").read_text()
    chosen = choose(made)
    assert draw_pair.table(chosen, contrasts(made)) in page
    assert draw_pair.caption(chosen) in (ROOT / "README.md").read_text()
    with Image.open(draw_pair.TARGET) as picture:
        assert picture.info["Description"] == draw_pair.caption(chosen)


def test_the_set_is_complete_and_unseen() -> None:
    """Eight photographs in eight settings, none of which the model's card or its training knows."""
    photographs = ReconstructionSet.read(draw_pair.PHOTOGRAPHS)
    assert len(photographs.rows) == 64
    assert len({row.image for row in photographs.rows}) == 8
    assert {row.split for row in photographs.rows} == {"test"}
    assert photographs.name not in (ROOT / "configs" / "metric" / "default.yaml").read_text()


def _gold(annotator: str) -> list[Judgement]:
    """Ten right answers to gold items."""
    return [
        Judgement(
            "photographs", f"{shown}-{number}", shown, annotator, AnnotatorKind.VISION_MODEL, truth, truth, "test"
        )
        for shown, truth in ((Shown.CLEAN, "cat"), (Shown.NOISE, None))
        for number in range(5)
    ]


def _answers(photographs: ReconstructionSet, annotator: str) -> list[Judgement]:
    """Every second reconstruction recognised."""
    item_set = ItemSet.read(photographs.directory)
    return [
        Judgement(
            "photographs", item.identifier, item.shown, annotator, AnnotatorKind.VISION_MODEL,
            item.truth if number % 2 else None, item.truth, "test",
        )
        for number, item in enumerate(item_set.items)
    ]  # fmt: skip
