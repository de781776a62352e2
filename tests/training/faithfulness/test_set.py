"""A reconstruction set, its judgements, metric values, FID, and the report of it all."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from semsim import Scorer
from semsim.exceptions import InvalidAnnotations, InvalidDataset, InvalidOption
from semsim.images import decode, resize
from semsim_training.annotation.items import Shown
from semsim_training.annotation.judgements import AnnotatorKind, Judgement, append
from semsim_training.annotation.shares import Share
from semsim_training.faithfulness.judged import Pair, judged_pairs, read_judgements, read_pairs, study_of
from semsim_training.faithfulness.set_distance import fid_by_setting
from semsim_training.faithfulness.study import Direction
from semsim_training.faithfulness.values import Wanted, compute_metrics
from semsim_training.faithfulness.values_table import metrics_of, read_values, write_values
from semsim_training.reference_metrics.frechet import ArtifactFeatures
from semsim_training.reference_metrics.lpips import InputRange, Lpips
from tests.conftest import ROOT
from tests.training.reference_metrics.weights import random_weights

CIFAR = ROOT / "datasets" / "cifar10"
MODEL = AnnotatorKind.VISION_MODEL


@pytest.fixture(scope="module")
def pairs() -> tuple[Pair, ...]:
    """Eight reconstructions of each of three settings."""
    everything = read_pairs(CIFAR)
    names = sorted({pair.setting for pair in everything})[:3]
    return tuple(
        pair
        for name in names
        for pair in [one for one in everything if one.setting == name and one.split == "test"][:8]
    )


def judge(pairs: Sequence[Pair], table: Path) -> None:
    """Two vision models recognise what comes early in its setting, one person nothing; and what must not count."""
    found = []
    for place, pair in enumerate(pairs):
        one = Judgement("cifar10", pair.item, Shown.RECONSTRUCTION, "m1", MODEL, "cat", "cat", "sheets/1")
        second = replace(one, annotator="m2", answer="cat" if place % 8 < 4 else "dog")
        found += [one, second, replace(one, annotator="ada", kind=AnnotatorKind.PERSON, answer=None)]
    found += [
        replace(found[0], repeat=1, answer=None),
        replace(found[0], dataset="other"),
        replace(found[0], item="00", shown=Shown.CLEAN),
    ]
    append(table, found)


def test_judgements_of_one_kind_are_counted_once(pairs: Sequence[Pair], tmp_path: Path) -> None:
    """Repeats, gold, other sets and other kinds do not count; what was not judged is left out."""
    judge(pairs, tmp_path)
    votes = read_judgements(tmp_path, "cifar10", MODEL)
    assert [votes[pair.item] for pair in pairs[:8]] == [Share(2, 2)] * 4 + [Share(1, 2)] * 4
    assert set(read_judgements(tmp_path, "cifar10", AnnotatorKind.PERSON).values()) == {Share(0, 1)}
    assert judged_pairs(read_pairs(CIFAR), votes) == tuple(pair for pair in read_pairs(CIFAR) if pair.item in votes)
    with pytest.raises(InvalidAnnotations, match="judgements of cifar10 by annotators of kind classifier"):
        read_judgements(tmp_path, "cifar10", AnnotatorKind.CLASSIFIER)
    with pytest.raises(InvalidAnnotations, match=r"in the set, got 1 others, such as ff"):
        judged_pairs(pairs, {**votes, "ff": Share(0, 1)})
    with pytest.raises(InvalidAnnotations, match="expected judged reconstructions of train, got none"):
        judged_pairs(pairs, votes, ("train",))


def test_metrics_are_the_scorers(pairs: Sequence[Pair], small_artifact: Path, small_scorer: Scorer) -> None:
    """MSE, PSNR, SSIM and an artifact's distance are what the library says of each pair."""
    metrics = {metric.name: metric for metric in compute_metrics(pairs, Wanted({"small": small_artifact}))}
    for row, pair in enumerate(pairs):
        score = small_scorer.score(pair.original, pair.reconstruction)
        found = [metrics[name].values[row] for name in ("small", "mse", "psnr", "ssim")]
        assert found == pytest.approx([score.distance, score.mse, score.psnr, score.ssim], rel=1e-6)
    assert metrics["small"].direction is Direction.DOWN
    with pytest.raises(InvalidOption, match=r"another name than .* got ssim"):
        compute_metrics(pairs, Wanted({"ssim": small_artifact}))


def test_lpips_of_images_of_several_sizes(pairs: Sequence[Pair], tmp_path: Path) -> None:
    """Each pair at the original's size, in both input ranges by their names, with progress to the end."""
    weights, seen = random_weights(tmp_path / "weights.safetensors"), []
    mixed = [pairs[0], grown(pairs[1]), pairs[2], replace(pairs[3], reconstruction=grown(pairs[3]).original)]
    wanted = Wanted(lpips=weights, input_ranges=tuple(InputRange))
    metrics = compute_metrics(mixed, wanted, lambda *step: seen.append(step))
    assert [metric.name for metric in metrics[3:]] == ["lpips", "lpips_0_1"]
    for metric, input_range in zip(metrics[3:], InputRange, strict=True):
        for row, pair in enumerate(mixed):
            original = decode(pair.original)
            reconstruction = resize(decode(pair.reconstruction), *original.shape[:2])
            alone = Lpips(weights, input_range).distances(original[None], reconstruction[None])
            assert metric.values[row] == pytest.approx(alone[0], rel=1e-5)
    assert seen[-1] == ("lpips_0_1", 4, 4)


def grown(pair: Pair) -> Pair:
    """The same pair, 48 pixels a side."""
    return replace(pair, original=enlarged(pair.original), reconstruction=enlarged(pair.reconstruction))


def enlarged(png: bytes) -> bytes:
    """The image, 48 pixels a side."""
    sink = io.BytesIO()
    Image.fromarray(resize(decode(png), 48, 48)).save(sink, "PNG")
    return sink.getvalue()


def test_values_are_kept_for_the_whole_set_and_read_again(
    pairs: Sequence[Pair], small_artifact: Path, tmp_path: Path
) -> None:
    """Written with directions, read in any order, with columns that others added; never computed twice."""
    table = tmp_path / "values.parquet"
    wanted = Wanted({"small": small_artifact})
    some = pairs[5:2:-1]
    first = metrics_of("cifar10", some, wanted, table=table, everything=pairs, directions={})
    assert [metric.values.tolist() for metric in first] == [
        metric.values.tolist() for metric in compute_metrics(some, wanted)
    ]
    again = metrics_of("cifar10", some, Wanted(), table=table, directions={})
    assert [(one.name, one.direction, one.values.tolist()) for one in again] == [
        (one.name, one.direction, one.values.tolist()) for one in first
    ]
    with pytest.raises(InvalidOption, match="expected --values in an existing directory, got"):
        metrics_of("cifar10", some, wanted, table=tmp_path / "nowhere" / "values.parquet", directions={})
    with pytest.raises(InvalidOption, match="expected no --artifact and no --lpips beside the values in"):
        metrics_of("cifar10", some, wanted, table=table, directions={})
    with pytest.raises(InvalidOption, match="--direction of one of mse, psnr, ssim, small, got other"):
        metrics_of("cifar10", some, Wanted(), table=table, directions={"other": Direction.UP})
    with pytest.raises(InvalidDataset, match=r"metric values of caltech101 in .* got those of cifar10"):
        read_values(table, "caltech101", some, {})
    added = pq.read_table(table)
    pq.write_table(added.append_column("mine", pa.array(np.arange(len(pairs), dtype=float))), table)
    with pytest.raises(InvalidOption, match="--direction mine=up"):
        read_values(table, "cifar10", some, {})
    assert read_values(table, "cifar10", some, {"mine": Direction.UP})[-1].values.tolist() == [5, 4, 3]


def test_values_of_other_items_are_refused(pairs: Sequence[Pair], tmp_path: Path) -> None:
    """Missing items, a missing column, a file that is no table."""
    table = tmp_path / "values.parquet"
    write_values(table, "cifar10", pairs[:4], compute_metrics(pairs[:4], Wanted()))
    with pytest.raises(InvalidDataset, match=f"all 6 reconstructions .* none of 2, such as {pairs[4].item}"):
        read_values(table, "cifar10", pairs[:6], {})
    pq.write_table(pa.table({"mse": [1.0]}), table)
    with pytest.raises(InvalidDataset, match="expected a column item"):
        read_values(table, "cifar10", pairs, {})
    table.write_bytes(b"no")
    with pytest.raises(InvalidDataset, match="expected metric values in"):
        read_values(table, "cifar10", pairs, {})


def test_fid_by_setting_agrees_as_it_should(pairs: Sequence[Pair], small_artifact: Path) -> None:
    """One FID a setting, too few images for full rank; where judges follow FID, agreement is 1."""
    extractor = ArtifactFeatures(small_artifact)
    first = fid_by_setting(pairs, {pair.item: Share(1, 1) for pair in pairs}, extractor)
    assert first.spearman is None
    ranked = sorted(first.settings, key=lambda one: one.value)
    votes = {pair.item: Share(2 - [one.setting for one in ranked].index(pair.setting), 2) for pair in pairs}
    found = fid_by_setting(pairs, votes, extractor)
    assert (found.spearman, found.kendall) == (pytest.approx(1), pytest.approx(1))
    assert (found.dimension, [one.images for one in found.settings]) == (12, [8, 8, 8])
    assert len(found.rank_deficient) == 3
    with pytest.raises(InvalidDataset, match="a setting of at least 5"):
        fid_by_setting(pairs[:4], votes, extractor)


def test_a_study_is_in_the_order_of_its_pairs(pairs: Sequence[Pair]) -> None:
    """Items, settings, originals and votes belong together."""
    votes = {pair.item: Share(place % 3, 2) for place, pair in enumerate(pairs)}
    study = study_of("cifar10", MODEL, pairs, votes, compute_metrics(pairs, Wanted()))
    assert study.items == tuple(pair.item for pair in pairs)
    assert study.originals[3] == pairs[3].image
    assert study.recognised.tolist() == [place % 3 for place in range(24)]
