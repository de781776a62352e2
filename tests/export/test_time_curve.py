"""AUC over the time a pair of compared recipes."""

from pathlib import Path

import pytest

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_export.time_curve import curve_table, draw_curve, time_recipes
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.judged.judged_sources import JudgedSource, JudgedSources
from semsim_training.metric.metric_recipe import About, MetricTraining
from semsim_training.metric.recipe_selection import Fold, RecipeScore, read_selection
from tests.training.metric.small import recipe

pytestmark = pytest.mark.slow

NOWHERE = JudgedSource(dataset=Path("nowhere"), annotations=Path("nowhere"))


def test_recipes_are_timed_beside_one_of_them(tmp_path: Path) -> None:
    """A smaller input takes less time; the table begins with it; the one beside which all are measured takes 1."""
    training = MetricTraining(
        about=About(name="small", version="0.0.1", summary="s", licence="Apache-2.0", source="a test"),
        judged=JudgedSources(sets=(NOWHERE,), kind=AnnotatorKind.CLASSIFIER),
        recipes=(recipe(name="large", size=96), recipe(name="little"), recipe(name="other-loss", loss="soft")),
    )
    folds = tuple(Fold(auc=auc, strangers=0.8, copies=0.7, moved=0.2, mirrored=0.1) for auc in (0.9, 0.94))
    scores = tuple(RecipeScore(recipe=name, epochs=1, folds=folds) for name in ("large", "little", "other-loss"))
    timed = time_recipes(training, scores, tmp_path, "large", runs=5)
    assert [one.recipe.name for one in timed] == ["little", "other-loss", "large"]
    assert timed[0].range[1] < 0.7
    assert timed[1].range == timed[0].range
    assert timed[2].range == (1, 1, 1)
    lines = curve_table(timed, "large").splitlines()
    assert lines[2].startswith("| little | 32 px | ")
    assert lines[4].endswith("| 1.00 (1.00 to 1.00) | 0.920 | 0.900, 0.940 | 0.800 | 0.700 | 0.20 | 0.10 |")
    draw_curve(timed, "large", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InvalidOption, match="expected recipes of large, little, other-loss, got other"):
        time_recipes(training, scores, tmp_path, "other")


def test_a_comparison_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    """Without selection.json there is nothing to draw."""
    with pytest.raises(InvalidAnnotations, match=r"expected a comparison of recipes at .*selection.json, got nothing"):
        read_selection(tmp_path)
