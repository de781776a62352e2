"""From judged sets to a calibrated, exportable checkpoint, and its evaluation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.annotation.items import ItemSet
from semsim_training.annotation.judgements import AnnotatorKind, Judgement, append
from semsim_training.checkpoint import CheckpointDescription
from semsim_training.metric.experiment import RECORD, WEIGHTS, TrainingReport, run
from semsim_training.metric.hold_out import HeldOuts, hold_out
from semsim_training.metric.judged import Judged, JudgedReconstructions, JudgedSet
from semsim_training.metric.metric_recipe import About, MetricTraining
from semsim_training.metric.recipe_selection import Fold, folds_of, select
from tests.conftest import ROOT
from tests.training.metric.small import judged, recipe

CIFAR = ROOT / "datasets" / "cifar10"
SETTINGS = ("gaussian:1e-2", "gaussian:1e-1", "lenet--smooth-it400--sign", "lenet--dlg-it800")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three made-up classifiers judge some of the committed reconstructions by their PSNR."""
    from semsim_training.reconstructions.dataset import read_set

    directory = tmp_path_factory.mktemp("annotations")
    psnr = {(row["setting"], row["image"]): row["psnr"] for row in read_set(CIFAR).to_pylist()}
    judgements = [
        Judgement(
            "cifar10", item.identifier, item.shown, f"made-up-{floor}", AnnotatorKind.CLASSIFIER,
            item.truth if psnr[item.setting, item.image] > floor else None, item.truth, "made-up/1",
        )
        for item in ItemSet.of(CIFAR).items
        if item.setting.endswith(SETTINGS)
        for floor in (13, 15, 17)
    ]  # fmt: skip
    append(directory, judgements)
    return directory


def small(table: Path, **changed: object) -> MetricTraining:
    """A training of seconds."""
    fields: dict[str, object] = {
        "about": About(name="small", version="0.0.1", summary="s", licence="Apache-2.0", source="a test"),
        "judged": Judged(sets=(JudgedSet(dataset=CIFAR, annotations=table),), kind=AnnotatorKind.CLASSIFIER),
        "recipes": (recipe(epochs=1),),
        "seeds": (0, 1),
    }
    return MetricTraining.model_validate(fields | changed)


def test_a_run_ends_in_a_described_checkpoint(table: Path, tmp_path: Path) -> None:
    """Two seeds; the better on validation is calibrated, and measured on test beside other metrics."""
    report = run(small(table), tmp_path, tmp_path / "out")
    assert report == TrainingReport.read(tmp_path / "out")
    assert report.chosen == max(report.seeds, key=lambda one: one.validation_auc).seed
    assert [one.what for one in report.comparisons] == ["all", "cifar10"]
    assert {one.metric for one in report.comparisons[0].metrics} == {"semsim", "mse", "psnr", "ssim"}
    assert report.comparisons[0].items == report.split["test"] == 5 * 26
    description = CheckpointDescription.read((tmp_path / "out" / WEIGHTS).with_suffix(".json"))
    assert description.calibration is not None
    assert description.training.annotators[0].kind == "classifier"
    assert description.training.annotators[0].count == 3
    assert description.training.attacks == ("closed-form", "smooth", "dlg")
    assert {one.metric.split(" at ")[0] for one in description.results} == {
        "AUC", "expected calibration error", "precision", "recall",
    }  # fmt: skip

    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("seed-*.safetensors")}
    again = run(small(table), tmp_path, tmp_path / "out")
    assert again == report
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("seed-*.safetensors")}
    assert (tmp_path / "out" / RECORD).exists()


def test_splits_are_kept_apart(table: Path) -> None:
    """No original is in two splits, and none is in two folds; a fold is tested on what is new by both groupings."""
    found = JudgedReconstructions.load(small(table).judged, Path(), 32)
    parts = [set(found.take(found.where(split=[split])).values("image")) for split in ("train", "validation", "test")]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    images, settings = folds_of(found, 3)
    for fold in range(3):
        train = found.take((images != fold) & (settings != fold))
        test = found.take((images == fold) & (settings == fold))
        assert len(test)
        assert not set(train.values("image")) & set(test.values("image"))
        assert not set(train.values("setting")) & set(test.values("setting"))


def test_recipes_are_compared_without_the_test_split(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fold is kept and not trained again; no test original reaches a training."""
    import semsim_training.metric.recipe_selection as selection

    seen: list[JudgedReconstructions] = []
    train = selection.train_metric

    def spy(judged: JudgedReconstructions, *arguments: object, **options: object) -> object:
        seen.append(judged)
        return train(judged, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(selection, "train_metric", spy)
    training = small(table, recipes=(recipe(epochs=1), recipe(name="other", epochs=1, loss="soft")))
    scores = select(training, tmp_path, tmp_path, folds=2)
    assert [score.mean for score in scores] == sorted((score.mean for score in scores), reverse=True)
    assert all(0 <= value <= 1 for score in scores for fold in score.folds for value in _of(fold))
    assert len(seen) == 4
    assert not any("test" in judged.values("split") for judged in seen)
    assert sorted(score.recipe for score in scores) == ["other", "small"]
    assert select(training, tmp_path, tmp_path, folds=2) == scores
    assert len(seen) == 4
    with pytest.raises(InvalidOption, match="recipes of different names"):
        select(small(table, recipes=(recipe(), recipe())), tmp_path, tmp_path)


def _of(fold: Fold) -> tuple[float, float, float]:
    return fold.auc, fold.strangers, fold.copies


def test_what_is_held_out_is_not_trained_on(tmp_path: Path) -> None:
    """Each attack, victim and data set in turn, measured on originals of no training; rare ones are named."""
    many = judged(originals=40, each=8)
    training = small(tmp_path, seeds=(0,))
    found = hold_out(training, tmp_path, tmp_path, (), many)
    assert found == HeldOuts.read(tmp_path)
    assert {(one.field, one.value) for one in found.results} == {("victim", "victim-0"), ("victim", "victim-1")} | {
        ("dataset", "set-0"), ("dataset", "set-1"),
    }  # fmt: skip
    assert set(found.left_out) == {f"attack attack-{number}" for number in range(4)}
    for one in found.results:
        train = many.take(many.where(split=["train"]) & ~many.where(**{one.field: [one.value]}))
        assert one.trained_on == len(train)
        assert one.comparison.items == int((many.where(split=["validation", "test"], **{one.field: [one.value]})).sum())
        assert one.comparison.what == f"{one.field} {one.value}"


def test_the_same_reconstructions_are_held_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A victim that alone met a data set is not trained without twice; its result has its own name."""
    import semsim_training.metric.hold_out as module

    trained: list[str] = []
    train = module.train_metric

    def spy(judged: JudgedReconstructions, validation: None, *arguments: object, **options: object) -> object:
        trained.append(str(arguments[2]))
        return train(judged, validation, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "train_metric", spy)
    many = judged(originals=40, each=8)
    many = replace(many, origins=tuple(replace(one, victim=f"victim of {one.dataset}") for one in many.origins))
    found = hold_out(small(tmp_path, seeds=(0,)), tmp_path, tmp_path, (), many, fields=("victim", "dataset"))
    assert len(trained) == 2
    first, _, third, _ = found.results
    assert (first.comparison.what, third.comparison.what) == ("victim victim of set-0", "dataset set-0")
    assert first.comparison.metrics == third.comparison.metrics


def test_judgements_of_another_kind_are_none(table: Path, tmp_path: Path) -> None:
    """A training on people's judgements does not take a classifier's."""
    judged_by_people = small(table).judged.model_copy(update={"kind": AnnotatorKind.PERSON})
    with pytest.raises(InvalidAnnotations, match="expected judgements of cifar10 by annotators of kind person"):
        JudgedReconstructions.load(judged_by_people, Path(), 32)


def test_shares_are_votes(table: Path) -> None:
    """Each of three judges counts, and the majority is more than half."""
    found = JudgedReconstructions.load(small(table).judged, Path(), 32)
    assert set(found.judges.tolist()) == {3}
    assert set(np.round(found.shares * 3).astype(int).tolist()) == {0, 1, 2, 3}
    np.testing.assert_array_equal(found.majority, found.recognised >= 2)
    assert not replace(found, recognised=found.recognised * 0).majority.any()
