"""Attacks of a set against each other."""

from pathlib import Path

import pytest

from semsim_training.reconstructions.comparison import compare_attacks, comparison_table
from semsim_training.reconstructions.engines.engine import Engine
from semsim_training.reconstructions.generate import generate
from tests.training.reconstructions.small_grid import grid


@pytest.fixture(scope="module")
def compared(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of 5 and of 40 iterations on four clients of three images, and of 5 on another kind of update."""
    out = tmp_path_factory.mktemp("compared") / "set"
    attacks = [{"preset": "smooth", "iterations": 5}, {"preset": "smooth", "iterations": 40}]
    settings = [
        {"images": "small", "victim": "lenet", "attack": attacks, "batch": 3},
        {"images": "small", "victim": "lenet", "attack": attacks[:1], "batch": 3, "defense": "sign"},
    ]
    generate(grid(folder, settings=settings), folder, out, engine=Engine.HERE)
    return out


def test_paired_with_the_first_attack_of_a_group(compared: Path) -> None:
    """Groups differ in more than the attack; differences are those of the means, within their interval."""
    first, second, other = compare_attacks(compared)
    assert (first.images, first.clients, first.differences, other.differences) == (12, 4, {}, {})
    assert first.group == second.group != other.group
    for metric in ("PSNR", "SSIM"):
        value, interval = second.differences[metric]
        assert value == pytest.approx(second.means[metric] - first.means[metric])
        assert interval.low <= value <= interval.high


def test_differences_that_are_sure_are_bold(compared: Path) -> None:
    """A row an attack; bold where the interval leaves zero out."""
    lines = comparison_table(compared).splitlines()
    assert len(lines) == 7
    _, second, _ = compare_attacks(compared)
    for cell, (_, interval) in zip(lines[5].split(" | ")[2:], second.differences.values(), strict=True):
        assert ("**" in cell) == (interval.low > 0 or interval.high < 0)
