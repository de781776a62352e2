"""The gate: shares, an earlier run, and the report that says why."""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest

from semsim.bulk.earlier_run import EarlierRun
from semsim.bulk.junit_report import junit_report
from semsim.bulk.leakage_gate import LeakageLimits, judge
from semsim.bulk.rows import ScoreRow, write_table
from semsim.exceptions import InvalidOption
from semsim.summary import summarize
from tests.artifacts import manifest_for, small_graph

MANIFEST = manifest_for(small_graph())


def row(number: object, leakage: float | None) -> ScoreRow:
    """A scored pair, or one of which nothing can be told."""
    values = {"distance": 1.0, "mse": 1.0, "psnr": 20.0, "ssim": 0.5, "resized": False}
    uninformative = "blank" if leakage is None else None
    return ScoreRow(f"{number}.png", f"{number}.jpg", leakage=leakage, uninformative=uninformative, **values)


def rows(leakages: Sequence[float | None]) -> list[ScoreRow]:
    """A pair for each leakage."""
    return [row(f"{number:03}", leakage) for number, leakage in enumerate(leakages)]


def table(path: Path, of: list[ScoreRow]) -> EarlierRun:
    """Write a table of an earlier run, and read it."""
    write_table(path, of, MANIFEST, summarize(one.result() for one in of))
    return EarlierRun.read(path)


SPREAD = list(np.linspace(0.1, 0.6, 100))


def test_a_limit_says_how_many_and_which_is_worst() -> None:
    """The count of pairs above, of all that have a leakage, and the worst; a share may be allowed."""
    some = rows([0.1] * 398 + [0.91, 0.7])
    outcome = judge(LeakageLimits(0.5), some, None)
    assert outcome.reasons == ("2 of 400 pairs above 0.5, worst 398.jpg, 0.91",)
    allowed = judge(LeakageLimits(0.5, share=0.005), some, None)
    assert (allowed.reasons, len(allowed.exceeding)) == ((), 2)
    assert allowed.summary == "2 of 400 pairs above 0.5 (0.50%, of which 0.50% may be), worst 398.jpg, 0.91"
    assert judge(LeakageLimits(0.5, share=0.004), some, None).reasons
    assert judge(LeakageLimits(0.5, share=float("nan")), some, None).reasons
    assert judge(LeakageLimits(0.95), some, None).summary == "0 of 400 pairs above 0.95, highest 398.jpg, 0.91"


def test_pairs_without_a_leakage_do_not_pass() -> None:
    """A pair that the gate did not see is no low leakage, and counts in no share."""
    uncalibrated = [replace(one, uninformative=None) for one in rows([None])]
    told = judge(LeakageLimits(0.5), [*rows([0.1, 0.2]), *uncalibrated], None).unseen
    assert told == ("1 of 3 pairs have no leakage",)
    assert judge(LeakageLimits(0.5, share=0.4), rows([0.9, 0.1, *[None] * 9]), None).reasons
    assert not judge(LeakageLimits(), uncalibrated, None).unseen


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_the_same_run_and_one_within_the_range_pass(tmp_path: Path, suffix: str) -> None:
    """A run like the earlier one passes, and so does a rise as small as other originals would make it."""
    earlier = table(tmp_path / f"scores.{suffix}", rows(SPREAD))
    assert earlier.model_sha256 == (None if suffix == "csv" else MANIFEST.graph.sha256)
    for leakages in (SPREAD, [leakage + 0.01 for leakage in SPREAD], [0.0] * 100):
        outcome = judge(LeakageLimits(baseline=earlier), rows(leakages), 0.5)
        assert (outcome.reasons, outcome.unseen) == ((), ())


def test_a_rise_fails_by_its_range_or_by_a_margin(tmp_path: Path) -> None:
    """The mean, or the share above the limit, past the range of draws or past a margin, is named with both numbers."""
    earlier = table(tmp_path / "scores.csv", rows(SPREAD))
    raised = rows([leakage + 0.05 for leakage in SPREAD])
    (mean, *_) = judge(LeakageLimits(baseline=earlier), raised, None).reasons
    assert mean.startswith("of the pairs of the baseline the mean leakage rose from 0.3500 to 0.4000, past the range")
    few = rows([*SPREAD[:-20], *[0.99] * 20])
    assert any(
        "share of pairs above 0.58" in told for told in judge(LeakageLimits(0.58, 0.9, earlier), few, None).reasons
    )
    assert not judge(LeakageLimits(baseline=earlier, margin=0.06), raised, None).reasons
    slight = rows([leakage + 0.01 for leakage in SPREAD])
    assert judge(LeakageLimits(baseline=earlier, margin=0.005), slight, None).reasons


def test_new_pairs_hide_no_rise_and_are_seen(tmp_path: Path) -> None:
    """Old pairs are compared with themselves, and all pairs with the earlier ones."""
    earlier = table(tmp_path / "scores.csv", rows(SPREAD))
    harmless = [row(f"new{number}", 0.0) for number in range(300)]
    outcome = judge(LeakageLimits(baseline=earlier), [*rows([leakage + 0.1 for leakage in SPREAD]), *harmless], None)
    assert [told.partition(" the mean")[0] for told in outcome.reasons] == ["of the pairs of the baseline"]
    leaking = [row(f"new{number}", 0.99) for number in range(30)]
    outcome = judge(LeakageLimits(baseline=earlier), [*rows(SPREAD), *leaking], None)
    assert [told.partition(" the mean")[0] for told in outcome.reasons] == ["with 30 new pairs"]


def test_pairs_at_the_threshold_are_above_it(tmp_path: Path) -> None:
    """Without a limit the share of recognizable pairs must not rise, and a leakage at the threshold is one."""
    earlier = table(tmp_path / "scores.csv", rows([0.49] * 50))
    (reason,) = judge(LeakageLimits(baseline=earlier, margin=0.02), rows([0.5] * 50), 0.5).reasons
    assert reason.startswith("of the pairs of the baseline the share of pairs above 0.5 rose from 0.0000 to 1.0000")


def test_missing_pairs_of_the_baseline_do_not_pass(tmp_path: Path) -> None:
    """A pair that is gone, or has no leakage any more, is named; the other way to write an umlaut is the same name."""
    name = "k\u00f6ln"
    earlier = table(tmp_path / "scores.csv", [*rows(SPREAD), row(name, 0.2)])
    kept = row(unicodedata.normalize("NFD", name), 0.2)
    now = [*rows(SPREAD)[:-1], kept]
    assert judge(LeakageLimits(baseline=earlier), now, None).unseen == (
        "1 of 101 pairs of the baseline are missing, such as 099.png -> 099.jpg",
    )
    outcome = judge(LeakageLimits(baseline=earlier), [*now, row("099", None)], None)
    assert any("are missing" in told for told in outcome.unseen)
    assert not judge(LeakageLimits(baseline=earlier), [*rows(SPREAD), kept], None).unseen


def test_of_two_files_that_have_one_name_the_higher_leakage_counts(tmp_path: Path) -> None:
    """A file name may be written in two ways beside each other, and the harmless one hides no leak of the other."""
    earlier = table(tmp_path / "scores.csv", [*rows(SPREAD), row("k\u00f6ln", 0.2)])
    twins = [row("k\u00f6ln", 0.9), row(unicodedata.normalize("NFD", "k\u00f6ln"), 0.2)]
    for both in (twins, twins[::-1]):
        outcome = judge(LeakageLimits(baseline=earlier, margin=0.005), [*rows(SPREAD), *both], None)
        assert outcome.reasons


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.csv", None, "No such file"),
        ("wrong.txt", "original", "not a valid TableFormat"),
        ("other.csv", "a,b\n1,2\n", "KeyError"),
        ("words.csv", "original,reconstruction,leakage\na,b,high\n", "could not convert"),
        ("range.csv", "original,reconstruction,leakage\na,b,nan\n", "a leakage of nan"),
        ("twice.csv", "original,reconstruction,leakage\na,b,0.1\na,b,0.9\n", "two rows of one pair"),
        ("empty.csv", "original,reconstruction,leakage\na,b,\n", "got none in"),
        ("cut.csv", "original,reconstruction,leakage\na,b,0.9\nc,d,0.1", "no end of line at the end"),
        ("few.csv", "original,reconstruction,leakage\na,b,0.9\nc,d\n", "line 3 has fewer cells than the first"),
        ("more.csv", "original,reconstruction,leakage\na,b,0.9,0.1\n", "line 2 has more cells than the first"),
        ("quoted.csv", 'original,reconstruction,leakage\na,b,"0.9\n', "unexpected end of data"),
        ("cut.json", '{"results": [', "JSONDecodeError"),
        ("cut.parquet", "PAR1", "Arrow"),
    ],
)
def test_what_is_no_table_of_an_earlier_run_is_refused(
    tmp_path: Path, name: str, content: str | None, told: str
) -> None:
    """A gate beside something else would compare nothing."""
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InvalidOption, match=told):
        EarlierRun.read(tmp_path / name)


def test_a_baseline_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    """Pairs behind a cut would be new ones, and no rise of theirs would be seen, wherever in a line the cut is."""
    path = tmp_path / "scores.csv"
    table(path, rows([0.9, 0.1, 0.1]))
    whole = path.read_bytes()
    start, end = whole.index(b"001.png"), whole.index(b"002.png")
    for cut in range(start + 1, end):
        path.write_bytes(whole[:cut])
        with pytest.raises(InvalidOption, match="no end of line at the end"):
            EarlierRun.read(path)


def test_a_baseline_of_another_model_is_refused(tmp_path: Path) -> None:
    """Another model's leakages are other numbers; a CSV does not tell."""
    earlier = table(tmp_path / "scores.json", rows(SPREAD))
    LeakageLimits(baseline=earlier).check_model(MANIFEST)
    with pytest.raises(InvalidOption, match="expected a baseline by the model of this run"):
        LeakageLimits(baseline=replace(earlier, model_sha256="0" * 64)).check_model(MANIFEST)
    LeakageLimits(baseline=replace(earlier, model_sha256=None)).check_model(MANIFEST)


def test_the_junit_report_fails_exactly_where_the_gate_does(tmp_path: Path) -> None:
    """Pairs above the limit are failures where they are why, and what was not seen is an error."""
    some = [
        *rows([0.1, 0.9, None]),
        ScoreRow("<a&b>\ufffe.png", None, error_code="not_an_image", error_message="no image"),
    ]
    for limits, unseen, failures, errors in (
        (LeakageLimits(0.5), ("one",), 2, 1),
        (LeakageLimits(0.5, share=0.6), (), 0, 0),
        (LeakageLimits(0.95), ("one", "two"), 0, 2),
    ):
        outcome = judge(limits, some, None)
        (suite,) = fromstring(junit_report(some, outcome, unseen, "score-dir"))  # noqa: S314
        counts = [int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")]
        assert counts == [6, failures, errors, 2]
