"""The way from judged sets to a calibrated, exportable checkpoint, and its evaluation."""

import json
import operator
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.annotation.judgements import AnnotatorKind, append
from semsim_training.checkpoint import CheckpointDescription
from semsim_training.faithfulness.metric_values import Direction, Metric
from semsim_training.judged.judged_sources import JudgedSource, JudgedSources
from semsim_training.judged.pair import pairs_of
from semsim_training.judged.sized_set import SizedSet
from semsim_training.metric.card import write_card
from semsim_training.metric.checkpoint_writing import WEIGHTS
from semsim_training.metric.experiment import run
from semsim_training.metric.hold_out import HeldOuts, _Trial, hold_out
from semsim_training.metric.metric_comparison import parts_of
from semsim_training.metric.metric_recipe import About, MetricTraining
from semsim_training.metric.recipe_selection import Fold, folds_of, select
from semsim_training.metric.seed_choice import _mean
from semsim_training.metric.training_report import TrainingReport
from semsim_training.metric.used_inputs import UsedInputs
from semsim_training.metric.victim_families import family_of
from semsim_training.reconstructions.dataset import DatasetDescription
from semsim_training.subcommands.train_command import _training
from tests.training.judged.made_up import judgements_of, made_up_set
from tests.training.metric.small import judged, recipe, with_rows


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> JudgedSource:
    """A made-up set on disk, which three classifiers judged by its PSNR and by chance."""
    directory = tmp_path_factory.mktemp("judged")
    made_up = made_up_set(originals=24, settings=6)
    made_up.write(directory / "set")
    pairs = pairs_of(made_up)
    chance = np.random.default_rng(0).normal(0, 8, len(pairs))
    clear = [pair.row.psnr + luck for pair, luck in zip(pairs, chance, strict=True)]
    append(
        directory / "annotations", judgements_of(pairs, [sum(one > floor for floor in (10, 14, 18)) for one in clear])
    )
    return JudgedSource(dataset=directory / "set", annotations=directory / "annotations")


def small(*sources: JudgedSource, **changed: object) -> MetricTraining:
    """The configuration of a training that takes seconds."""
    fields: dict[str, object] = {
        "about": About(name="small", version="0.0.1", summary="s", licence="Apache-2.0", source="a test"),
        "judged": JudgedSources(sets=sources or (NOWHERE,), kind=AnnotatorKind.CLASSIFIER),
        "recipes": (recipe(epochs=1),),
        "seeds": (0, 1),
    }
    return MetricTraining.model_validate(fields | changed)


NOWHERE = JudgedSource(dataset=Path("nowhere"), annotations=Path("nowhere"))


def test_a_run_ends_in_a_described_checkpoint(source: JudgedSource, tmp_path: Path) -> None:
    """The best network on validation is calibrated, and measured on test beside other metrics."""
    report = run(small(source), tmp_path, tmp_path / "out")
    assert report == TrainingReport.read(tmp_path / "out")
    assert report.chosen == max(report.runs, key=lambda one: one.validation_auc).name
    assert [one.name for one in report.runs] == ["seed 0", "seed 1", "mean of 2 runs"]
    assert [one.what for one in report.comparisons] == ["all", "set-0", "set-1"]
    over_judgements, settings = report.comparisons[0].metrics[0].judgements, report.comparisons[0].metrics[0].settings
    assert over_judgements is not None
    assert settings is not None
    assert {one.metric for one in report.comparisons[0].metrics} == {"semsim", "mse", "psnr", "ssim"}
    assert report.comparisons[0].items == report.split["test"] == 6 * 6
    description = CheckpointDescription.read((tmp_path / "out" / WEIGHTS).with_suffix(".json"))
    assert description.calibration is not None
    assert description.training.annotators[0].kind == "classifier"
    assert description.training.annotators[0].count == 3
    assert description.training.attacks == ("attack-0", "attack-1", "attack-2")
    assert {one.metric.split(" at ")[0] for one in description.results} == {
        "AUC", "expected calibration error", "precision", "recall",
    }  # fmt: skip

    write_card(small(source), tmp_path, tmp_path / "out", tmp_path / "card", None, None)
    card = (tmp_path / "card" / "README.md").read_text()
    row = r"^\| all \| 36 \| \d+% \| 0\.\d+ \(.*\) \| 0\.\d+ \(.*\) \| (mse|psnr|ssim) 0"
    assert re.search(row, card, re.MULTILINE)

    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("seed-*.safetensors")}
    again = run(small(source), tmp_path, tmp_path / "out")
    assert again == report
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("seed-*.safetensors")}


def test_seeds_train_on_parts_too(source: JudgedSource, tmp_path: Path) -> None:
    """The mean network's weights are the means of all runs' weights; a part without a reconstruction is refused."""
    report = run(small(source, seeds=(0,), parts=("all", "untrained")), tmp_path, tmp_path)
    assert [one.name for one in report.runs] == ["seed 0", "seed 0 on untrained victims", "mean of 2 runs"]
    states = [load_file(tmp_path / f"{name}.safetensors") for name in ("seed-0", "seed-0-untrained")]
    for name, value in _mean(states).items():
        torch.testing.assert_close(value, ((states[0][name] + states[1][name]) / 2).to(value.dtype))
    with pytest.raises(InvalidAnnotations, match="of trained victims to train on, got 0"):
        run(small(source, seeds=(0,), parts=("trained",)), tmp_path, tmp_path)


def test_splits_are_kept_apart(source: JudgedSource) -> None:
    """No original is in two splits, and none is in two folds; a fold is tested on originals and settings new to it."""
    everything = small(source).judged.read(Path())
    parts = [set(everything.of_splits([split]).originals) for split in ("train", "validation", "test")]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    by_original, by_setting = folds_of(everything, 3)
    for fold in range(3):
        train = everything.take((by_original != fold) & (by_setting != fold))
        test = everything.take((by_original == fold) & (by_setting == fold))
        assert len(test)
        assert not set(train.originals) & set(test.originals)
        assert not set(train.settings) & set(test.settings)


def test_recipes_are_compared_without_the_test_split(
    source: JudgedSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fold is kept and not trained again; no test original reaches a training."""
    import semsim_training.metric.recipe_selection as selection

    seen: list[SizedSet] = []
    train = selection.train_metric

    def spy(sized: SizedSet, *arguments: object, **options: object) -> object:
        seen.append(sized)
        return train(sized, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(selection, "train_metric", spy)
    training = small(
        source, recipes=(recipe(epochs=1), recipe(name="other", epochs=1, loss="soft", mirror=0.5, grey=0.5))
    )
    alone = select(training, tmp_path, tmp_path, folds=2, only=["other"])
    assert [(score.recipe, score.gain) for score in alone] == [("other", None)]
    assert len(seen) == 2
    assert not (tmp_path / "selection.json").exists()
    scores = select(training, tmp_path, tmp_path, folds=2)
    assert [score.mean for score in scores] == sorted((score.mean for score in scores), reverse=True)
    assert all(0 <= value <= 1 for score in scores for fold in score.folds for value in _of(fold))
    assert len(seen) == 4
    assert not any("test" in sized.judged.values(lambda row: row.split) for sized in seen)
    by_name = {score.recipe: score for score in scores}
    assert sorted(by_name) == ["other", "small"]
    gain = by_name["other"].gain
    assert gain is not None
    assert by_name["small"].gain is None
    assert gain.value == pytest.approx(by_name["other"].auc - by_name["small"].auc, abs=1e-3)
    assert gain.low is not None and gain.high is not None and gain.low <= gain.high
    assert '"draws": [' not in (tmp_path / "selection.json").read_text()
    assert select(training, tmp_path, tmp_path, folds=2) == scores
    assert len(seen) == 4
    with pytest.raises(InvalidOption, match="recipes of different names"):
        select(small(source, recipes=(recipe(), recipe())), tmp_path, tmp_path)
    with pytest.raises(InvalidOption, match="expected recipes small, other, got largest"):
        select(training, tmp_path, tmp_path, only=["largest"])


def _of(fold: Fold) -> tuple[float, ...]:
    return fold.auc, fold.strangers, fold.copies, fold.moved, fold.mirrored


def test_what_is_held_out_is_not_trained_on(tmp_path: Path) -> None:
    """Each victim and data set is measured on originals of no training; attacks with too few judgements are named."""
    many = judged(originals=40, each=8)
    held_out = hold_out(small(seeds=(0,)), tmp_path, tmp_path, (), many)
    assert held_out == HeldOuts.read(tmp_path)
    assert {(one.field, one.value) for one in held_out.results} == {("victim", "victim-0"), ("victim", "victim-1")} | {
        ("dataset", "set-0"), ("dataset", "set-1"),
    }  # fmt: skip
    assert set(held_out.left_out) == {f"attack attack-{number}" for number in range(4)}
    unseen = many.judged.where(lambda row: row.split, "validation", "test")
    for result in held_out.results:
        rows = many.judged.where(operator.attrgetter(result.field), result.value)
        assert result.trained_on == int((~unseen & ~rows).sum())
        assert result.comparison.items == int((unseen & rows).sum())
        assert result.comparison.what == f"{result.field} {result.value}"


def test_results_beside_fewer_metrics_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that was kept before a metric was added is not taken for one that knows it."""
    many = judged(originals=40, each=8)
    hold_out(small(seeds=(0,)), tmp_path, tmp_path, (), many, fields=("dataset",))
    luck = Metric("luck", Direction.UP, np.random.default_rng(0).normal(size=len(many)))
    again = hold_out(small(seeds=(0,)), tmp_path, tmp_path, (luck,), many, fields=("dataset",))
    assert [[metric.metric for metric in one.comparison.metrics] for one in again.results] == [["semsim", "luck"]] * 2
    monkeypatch.setattr("semsim_training.metric.hold_out.train_metric", None)
    assert hold_out(small(seeds=(0,)), tmp_path, tmp_path, (luck,), many, fields=("dataset",)) == again


def test_a_family_of_victims_is_held_out_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Victims of one architecture are one value, whatever else their names say; small values are named."""
    names = {"victim-0": "resnet20-trained", "victim-1": "resnet20-gn-3-1-7"}
    many = with_rows(
        judged(originals=40, each=8),
        lambda row: replace(row, victim=names[row.victim] if row.label else "small-densenet-x"),
    )
    monkeypatch.setattr(_Trial, "results", lambda trial, values: ())
    left_out = hold_out(small(seeds=(0,)), tmp_path, tmp_path, (), many, fields=("victim",)).left_out
    assert left_out == {}
    few = with_rows(many, lambda row: replace(row, victim="vit" if row.label == 1 and row.dataset == "set-0" else "a"))
    left_out = hold_out(small(seeds=(0,)), tmp_path, tmp_path, (), few, fields=("victim",)).left_out
    assert set(left_out) == {"victim transformer"}
    assert (
        left_out["victim transformer"] == f"{sum(row.row.victim == 'vit' for row in few.judged.pairs)} reconstructions"
    )
    assert [family_of(name) for name in ("vit-both", "lenet", "my-own")] == ["transformer", "LeNet", "my-own"]


def test_a_set_is_left_out_until_it_is_finished_and_judged(source: JudgedSource, tmp_path: Path) -> None:
    """Unfinished sets and sets judged in part are named with the reason; alone they are refused."""
    unfinished = JudgedSource(dataset=tmp_path / "begun", annotations=source.annotations, when_finished=True)
    some = pairs_of(made_up_set(originals=24, settings=6))[:-5]
    append(tmp_path / "annotations", judgements_of(some, [1] * len(some)))
    in_part = JudgedSource(dataset=source.dataset, annotations=tmp_path / "annotations", when_finished=True)
    sources = JudgedSources(sets=(source, unfinished), kind=AnnotatorKind.CLASSIFIER)
    kept, left_out = sources.finished(tmp_path)
    assert (kept.sets, left_out) == ((source,), {"begun": "it is not finished"})
    finished = source.model_copy(update={"when_finished": True})
    assert sources.model_copy(update={"sets": (finished,)}).finished(tmp_path)[0].sets == (finished,)
    with pytest.raises(InvalidAnnotations, match="expected a set that is finished and judged, got set"):
        sources.model_copy(update={"sets": (in_part,)}).finished(tmp_path)
    reason = in_part.reason_against(tmp_path, AnnotatorKind.CLASSIFIER)
    assert reason == "5 of its 144 reconstructions have no judgement by a classifier"


def test_results_do_not_go_on_with_other_inputs(tmp_path: Path) -> None:
    """A directory of results keeps its sets and recipes, takes results of new names, and refuses other inputs."""
    first, sets = recipe(epochs=1), (("one", "1" * 64), ("two", "2" * 64))
    UsedInputs.keep(tmp_path / "out", sets, {"a": first})
    UsedInputs.keep(tmp_path / "out", sets, {"a": first, "b": recipe(epochs=2)})
    UsedInputs.keep(tmp_path / "out", sets, {"a": first})
    with pytest.raises(InvalidOption, match=r"expected the sets of the results in .*, one, two, got one: begin in"):
        UsedInputs.keep(tmp_path / "out", sets[:1], {})
    with pytest.raises(
        InvalidOption, match=r"expected the recipe of the results of b in .*, got another one: begin in"
    ):
        UsedInputs.keep(tmp_path / "out", sets, {"b": first})
    changed = (
        r"expected the set and the judgements of two that the results in .* are of, sha256 222222222222, got 3{12}: "
    )
    with pytest.raises(InvalidOption, match=changed + "begin in another directory"):
        UsedInputs.keep(tmp_path / "out", (sets[0], ("two", "3" * 64)), {"a": first})
    path = tmp_path / "out" / UsedInputs.FILE
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "hashes"}))
    assert UsedInputs.read(tmp_path / "out").names == ("one", "two")
    with pytest.raises(InvalidOption, match=r"judgements of one .* sha256 unknown, got 1{12}: begin in another"):
        UsedInputs.keep(tmp_path / "out", sets, {"a": first})


def test_a_training_does_not_go_on_with_other_data_of_the_same_name(source: JudgedSource, tmp_path: Path) -> None:
    """More judgements, or a set that was made again, are refused before a result is read."""
    shutil.copytree(source.dataset, tmp_path / "set")
    shutil.copytree(source.annotations, tmp_path / "annotations")
    config, out = tmp_path / "config.yaml", tmp_path / "out"
    mine = JudgedSource(dataset=tmp_path / "set", annotations=tmp_path / "annotations")
    training = small(judged=JudgedSources(sets=(mine,), kind=AnnotatorKind.CLASSIFIER))
    config.write_text(yaml.safe_dump(training.model_dump(mode="json", exclude_defaults=True)))
    _training(config, out)
    _training(config, out)
    description = tmp_path / "set" / DatasetDescription.FILE
    written = description.read_text()
    description.write_text(written.replace('"machine":"none"', '"machine":"another"'))
    with pytest.raises(InvalidOption, match="expected the set and the judgements of set that the results in"):
        _training(config, out)
    description.write_text(written)
    _training(config, out)
    some = pairs_of(made_up_set(originals=24, settings=6))[:1]
    append(tmp_path / "annotations", [replace(one, annotator="a-new-one") for one in judgements_of(some, [1], 1)])
    with pytest.raises(InvalidOption, match="expected the set and the judgements of set that the results in"):
        _training(config, out)


def test_the_same_reconstructions_are_held_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A victim that alone met a data set is left out once; the result stands under both names."""
    import semsim_training.metric.hold_out as module

    trained: list[str] = []
    train = module.train_metric

    def spy(sized: SizedSet, validation: None, *arguments: object, **options: object) -> object:
        trained.append(str(arguments[2]))
        return train(sized, validation, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "train_metric", spy)
    many = with_rows(judged(originals=40, each=8), lambda row: replace(row, victim=f"victim of {row.dataset}"))
    held_out = hold_out(small(seeds=(0,)), tmp_path, tmp_path, (), many, fields=("victim", "dataset"))
    assert len(trained) == 2
    first, _, third, _ = held_out.results
    assert (first.comparison.what, third.comparison.what) == ("victim victim of set-0", "dataset set-0")
    assert first.comparison.metrics == third.comparison.metrics


def test_splits_of_one_kind_are_refused(source: JudgedSource, tmp_path: Path) -> None:
    """Nothing is trained where all reconstructions of a split were recognised, or where no annotator is of the kind."""
    people = JudgedSources(sets=(source,), kind=AnnotatorKind.PERSON)
    with pytest.raises(InvalidAnnotations, match="expected judgements of made-up by annotators of kind person"):
        run(small(judged=people), tmp_path, tmp_path)
    pairs = [pair for pair in pairs_of(made_up_set(originals=24, settings=6)) if pair.row.split != "test"]
    append(tmp_path / "annotations", judgements_of(pairs, [3 * (pair.row.psnr > 15) for pair in pairs]))
    rest = [pair for pair in pairs_of(made_up_set(originals=24, settings=6)) if pair.row.split == "test"]
    append(tmp_path / "annotations", judgements_of(rest, [3] * len(rest)))
    clear = source.model_copy(update={"annotations": tmp_path / "annotations"})
    with pytest.raises(InvalidAnnotations, match="recognised and unrecognised reconstructions in test, got one kind"):
        run(small(clear), tmp_path, tmp_path)


def test_parts_with_too_few_of_a_kind_are_not_measured_apart() -> None:
    """Trained victims are a part where enough of them were recognised and enough were not; no set has them alone."""
    many = judged(originals=40, each=8)
    half = with_rows(many, lambda row: replace(row, trained=row.victim == "victim-0")).judged
    parts = parts_of(half)
    assert list(parts) == ["all", "set-0", "set-1", "trained victims", "untrained victims"]
    assert [int(rows.sum()) for rows in parts.values()] == [320, 160, 160, 160, 160]
    few = with_rows(many, lambda row: replace(row, trained=row.image < "image-02")).judged
    assert list(parts_of(few)) == ["all", "set-0", "set-1", "untrained victims"]
    assert list(parts_of(many.judged)) == ["all", "set-0", "set-1"]
