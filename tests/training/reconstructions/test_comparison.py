"""Settings of a set against each other."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semsim import Scorer
from semsim.bulk.engine import Engine
from semsim.exceptions import ErrorCode, InvalidDataset
from semsim.pairs import PairFailure
from semsim.uninformative import Uninformative
from semsim_training.reconstructions.comparison import Compared, ComparedBy, check_comparable, compare_settings
from semsim_training.reconstructions.comparison_plot import comparison_plot
from semsim_training.reconstructions.comparison_table import comparison_table
from semsim_training.reconstructions.generate import generate
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.scored_rows import DIVERGED, ScoredRow, score_rows
from tests.conftest import CPU
from tests.training.judged.made_up import made_up_set
from tests.training.reconstructions.small_grid import grid

MEASURES = ("leakage", "recognizable", "PSNR", "SSIM")


@pytest.fixture(scope="module")
def made(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ReconstructionSet:
    """Searches of 5 and of 40 iterations on four clients of three images, under a defense, and on fewer clients."""
    out = tmp_path_factory.mktemp("compared") / "set"
    attacks = [{"preset": "smooth", "iterations": 5}, {"preset": "smooth", "iterations": 40}]
    common = {"images": "small", "victim": "lenet", "batch": 3}
    settings = [
        common | {"attack": attacks[:1], "defense": "sign"},
        common | {"attack": attacks},
        common | {"attack": {"preset": "inversed", "iterations": 5}, "count": 6},
    ]
    generate(grid(folder, settings=settings), folder, out, engine=Engine.HERE)
    return ReconstructionSet.read(out)


@pytest.fixture(scope="module")
def scored(made: ReconstructionSet, calibrated_artifact: Path) -> list[ScoredRow]:
    """The rows of the set with their scores."""
    return score_rows(made, made.rows, Scorer(calibrated_artifact, providers=CPU))


def mean(rows: Sequence[ScoredRow], setting: str) -> float:
    """The mean PSNR of some rows of a setting."""
    return float(np.mean([one.row.psnr for one in rows if one.row.setting == setting]))


def test_paired_with_the_first_of_a_group(made: ReconstructionSet, scored: list[ScoredRow]) -> None:
    """Only settings with a peer are compared; differences are over the clients that both have, within an interval."""
    first, second, other = compare_settings(made, scored, ComparedBy.ATTACK)
    assert (first.images, first.clients, first.diverged, first.differences) == (12, 4, 0, {})
    assert first.group == second.group == other.group
    assert [one.name for one in (first, second, other)] == ["smooth it5", "smooth it40", "inversed it5"]
    for measure in MEASURES:
        difference = second.differences[measure]
        assert difference.value == pytest.approx(second.means[measure].value - first.means[measure].value)
        assert difference.interval is not None
        assert difference.interval.low <= difference.value <= difference.interval.high
    assert (other.images, other.clients, other.paired) == (6, 2, 2)
    baseline, fewer = scored[12].row.setting, scored[-1].row.setting
    images = {one.row.image for one in scored if one.row.setting == fewer}
    paired = mean(scored, fewer) - mean([one for one in scored if one.row.image in images], baseline)
    assert other.differences["PSNR"].value == pytest.approx(paired)


def test_groups_are_those_of_the_grid(made: ReconstructionSet, scored: list[ScoredRow]) -> None:
    """Settings that differ in something that no column of the set holds are apart; a group says what it is."""
    inferred, adam = {"reveal_labels": False}, {"local_training": {"learning_rate": 0.1, "optimiser": "adam"}}
    written = [one | {"defense": "none"} for one in made.description.grid["settings"]]
    changed = [written[0] | inferred, written[1] | inferred, written[2] | adam, written[3]]
    description = made.description.model_copy(update={"grid": made.description.grid | {"settings": changed}})
    first, second = compare_settings(replace(made, description=description), scored, ComparedBy.ATTACK)
    assert first.group == second.group
    assert first.group.endswith(", labels inferred")


def test_defenses_are_compared_with_none(made: ReconstructionSet, scored: list[ScoredRow]) -> None:
    """The setting without a defense comes first, wherever the grid has it; without peers nothing is compared."""
    none, sign = compare_settings(made, scored, ComparedBy.DEFENSE)
    assert (none.name, sign.name, none.differences) == ("none", "sign", {})
    with pytest.raises(InvalidDataset, match="expected settings of small that differ in the victim alone, got none"):
        check_comparable(made, ComparedBy.VICTIM)


def test_diverged_clients_are_counted_and_take_no_part(made: ReconstructionSet, scored: list[ScoredRow]) -> None:
    """A client that diverged is in no mean and no pair; a setting of which every client did has no figures."""

    def diverged(one: ScoredRow) -> ScoredRow:
        return ScoredRow(replace(one.row, status="diverged"), DIVERGED)

    rows = [diverged(one) if place in range(24, 27) or place >= 36 else one for place, one in enumerate(scored)]
    first, second, other = compare_settings(made, rows, ComparedBy.ATTACK)
    assert (first.clients, second.clients, second.diverged, second.paired) == (4, 3, 1, 3)
    assert second.means["PSNR"].value == pytest.approx(np.mean([one.row.psnr for one in scored[27:36]]))
    assert (other.clients, other.diverged, other.means, other.differences) == (0, 2, {}, {})
    lines = comparison_table([first, second, other], ComparedBy.ATTACK).splitlines()
    assert any("9 images of 3 clients, 1 more diverged" in line for line in lines)
    row = next(line for line in lines if "| inversed it5 |" in line)
    assert row.count("could not tell") == len(MEASURES)
    assert "| 6 diverged |" in row
    with pytest.raises(InvalidDataset, match="expected reconstructions to plot, got attacks that all diverged"):
        comparison_plot([other], ComparedBy.ATTACK, "small")


def test_what_could_not_be_scored_is_not_compared(made: ReconstructionSet, scored: list[ScoredRow]) -> None:
    """A missing original is an error: the others alone are another comparison."""
    rows = [replace(scored[0], outcome=PairFailure(ErrorCode.INVALID_DATASET, "no such image")), *scored[1:]]
    with pytest.raises(InvalidDataset, match=r"expected the originals of all reconstructions.*no such image"):
        compare_settings(made, rows, ComparedBy.ATTACK)


def test_a_set_that_does_not_tell_its_settings(tmp_path: Path) -> None:
    """Without the grid nobody knows in what settings differ."""
    made = ReconstructionSet.read(made_up_set(originals=2, settings=2).write(tmp_path / "set"))
    with pytest.raises(InvalidDataset, match=r"expected the 2 settings of made-up in its dataset\.json, got 0"):
        check_comparable(made, ComparedBy.ATTACK)


def bold(one: Compared) -> list[bool]:
    """True for each measure whose difference is sure."""
    return [difference.sure for difference in one.differences.values()]


def ended(scored: Sequence[ScoredRow], status: str) -> list[ScoredRow]:
    """The rows, as if each attack had ended so."""
    return [replace(one, row=replace(one.row, status=status)) for one in scored]


def test_differences_that_are_sure_are_bold(made: ReconstructionSet, scored: list[ScoredRow]) -> None:
    """A row for each attack, with its statuses; bold where the interval leaves zero out."""
    compared = compare_settings(made, ended(scored, "matched"), ComparedBy.ATTACK)
    lines = comparison_table(compared, ComparedBy.ATTACK).splitlines()
    assert len(lines) == 4 + 3
    assert lines[2] == f"| clients | attack | status | {' | '.join(MEASURES)} |"
    assert lines[5].split(" | ")[2] == "12 matched"
    assert ["**" in cell for cell in lines[5].split(" | ")[3:]] == bold(compared[1])


def test_an_attack_that_found_nothing_is_no_gain_of_a_defense(made: ReconstructionSet, scored: list[ScoredRow]) -> None:
    """Its differences are marked, never bold, and a note says what they are worth."""
    rows = [one if one.row.defense == "none" else ended([one], "nothing_found")[0] for one in ended(scored, "matched")]
    none, sign = compare_settings(made, rows, ComparedBy.DEFENSE)
    assert (none.nothing_found, sign.nothing_found, sign.statuses) == (0, 4, "12 nothing_found")
    *_, row, empty, note = comparison_table([none, sign], ComparedBy.DEFENSE).splitlines()
    assert row.count("†") == len(MEASURES)
    assert "**" not in row
    assert empty == ""
    assert note.startswith("† Not shown to leak by this attack")


def test_plot(made: ReconstructionSet, scored: list[ScoredRow], tmp_path: Path) -> None:
    """A PNG, taller with more settings."""
    compared = compare_settings(made, scored, ComparedBy.ATTACK)
    sizes = []
    for count in (2, 3):
        path = tmp_path / f"{count}.png"
        path.write_bytes(comparison_plot(compared[:count], ComparedBy.ATTACK, "small"))
        sizes.append(Image.open(path).size)
    assert sizes[0][0] == sizes[1][0]
    assert sizes[0][1] < sizes[1][1]


def test_originals_that_show_nothing_have_no_part_in_leakage(made: ReconstructionSet, scored: list[ScoredRow]) -> None:
    """Their images are out of the leakage of their clients, and the table says how many; other measures keep them."""
    nobody = {row.row.image for row in scored[:3]}
    one_image = scored[3].row.image

    def empty(one: ScoredRow) -> ScoredRow:
        if one.score is None or one.row.image not in nobody | {one_image}:
            return one
        return replace(
            one, outcome=replace(one.score, leakage=None, recognizable=None, uninformative=Uninformative.ORIGINAL)
        )

    rows = [empty(one) for one in scored]
    first, second, _ = compare_settings(made, rows, ComparedBy.ATTACK)
    count = sum(map(_is_empty, rows[24:36]))  # short searches make blank reconstructions, too
    assert count >= 4
    assert (second.clients, second.paired, second.uninformative) == (4, 4, count)
    of_clients = [[one for one in rows[place : place + 3] if not _is_empty(one)] for place in (27, 30, 33)]
    told = [np.mean([one.score.leakage for one in held if one.score is not None]) for held in of_clients]
    assert second.means["leakage"].value == pytest.approx(np.mean(told))
    assert second.means["PSNR"].value == pytest.approx(np.mean([one.row.psnr for one in scored[24:36]]))
    line = comparison_table([first, second], ComparedBy.ATTACK).splitlines()[-1]
    assert f"12 images of 4 clients, {count} images without a leakage: nothing can be told of them" in line


def _is_empty(one: ScoredRow) -> bool:
    return one.score is not None and one.score.uninformative is not None
