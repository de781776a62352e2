"""Metrics of the pairs of a set, kept values, and FID by setting."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from semsim import Scorer
from semsim.exceptions import InvalidDataset, InvalidOption
from semsim.fid.frechet import ArtifactFeatures
from semsim.images import RGBImage, resize
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.faithfulness.metric_values import Direction
from semsim_training.faithfulness.set_distance import fid_by_setting
from semsim_training.faithfulness.values import ALWAYS, Wanted, compute_metrics
from semsim_training.faithfulness.values_table import metrics_of, read_values, write_values
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.judged.pair import Pair, pairs_of
from semsim_training.metric.baselines import baseline_metrics
from semsim_training.metric.metric_recipe import Baselines
from semsim_training.reconstructions.schema import ReconstructionRow
from semsim_training.reference_metrics.lpips import InputRange, Lpips
from tests.training.judged.made_up import MadeUpSet, made_up_set
from tests.training.reference_metrics.weights import random_weights

SET = made_up_set(originals=8, settings=3)
PAIRS = pairs_of(SET)


def judged(pairs: Sequence[Pair], recognised: Sequence[int]) -> JudgedSet:
    """The judged set of the pairs: two vision models judged each, of which so many recognised it."""
    return JudgedSet(
        name="made-up",
        kind=AnnotatorKind.VISION_MODEL,
        items=tuple(pair.item for pair in pairs),
        settings=tuple(pair.row.setting for pair in pairs),
        originals=tuple(pair.original_name for pair in pairs),
        recognised=np.array(recognised),
        annotators=np.full(len(pairs), 2),
        pairs=tuple(pairs),
    )


def test_metrics_are_the_scorers(small_artifact: Path, small_scorer: Scorer) -> None:
    """MSE, PSNR, SSIM and an artifact's distance are what the library says of each pair."""
    metrics = {metric.name: metric for metric in compute_metrics(PAIRS, Wanted({"small": small_artifact}))}
    for row, pair in enumerate(PAIRS):
        score = small_scorer.score(pair.original(), pair.reconstruction())
        values = [metrics[name].values[row] for name in ("small", "mse", "psnr", "ssim")]
        assert values == pytest.approx([score.distance, score.mse, score.psnr, score.ssim], rel=1e-6)
    assert metrics["small"].direction is Direction.DOWN
    with pytest.raises(InvalidOption, match=r"another name than .* got ssim"):
        compute_metrics(PAIRS, Wanted({"ssim": small_artifact}))


class Grown(MadeUpSet):
    """The made-up set with some pictures of 48 pixels a side."""

    def original(self, row: ReconstructionRow) -> RGBImage:
        """The second original has 48 pixels a side."""
        picture = super().original(row)
        return resize(picture, 48, 48) if row.image == "image-01.png" else picture

    def reconstruction(self, row: ReconstructionRow) -> RGBImage:
        """The reconstructions of the second and the fourth original have 48 pixels a side."""
        picture = super().reconstruction(row)
        return resize(picture, 48, 48) if row.image in ("image-01.png", "image-03.png") else picture


def test_lpips_of_images_of_several_sizes(tmp_path: Path) -> None:
    """Each pair is measured at its original's size in both input ranges, and at 64 pixels, with progress to the end."""
    weights, seen = random_weights(tmp_path / "weights.safetensors"), []
    mixed = pairs_of(Grown(SET.name, SET.rows, SET.originals, SET.reconstructions))[:12:3]
    wanted = Wanted(lpips=weights, input_ranges=tuple(InputRange))
    metrics = compute_metrics(mixed, wanted, lambda *step: seen.append(step))
    assert [metric.name for metric in metrics] == [*ALWAYS, "lpips", "lpips_0_1", "lpips_64"] == [*wanted.names]
    taken = [(input_range, None) for input_range in InputRange] + [(InputRange.PUBLISHED, (64, 64))]
    for metric, (input_range, size) in zip(metrics[len(ALWAYS) :], taken, strict=True):
        for row, pair in enumerate(mixed):
            size_here = size or pair.original().shape[:2]
            original, reconstruction = (resize(one, *size_here) for one in (pair.original(), pair.reconstruction()))
            alone = Lpips(weights, input_range).distances(original[None], reconstruction[None])
            assert metric.values[row] == pytest.approx(alone[0], rel=1e-5)
    assert seen[-1] == ("lpips_64", 4, 4)


def test_values_are_kept_for_the_whole_set_and_read_again(small_artifact: Path, tmp_path: Path) -> None:
    """Values are kept with directions, read in any order with columns that others added, and never computed twice."""
    table = tmp_path / "values.parquet"
    wanted = Wanted({"small": small_artifact})
    some = PAIRS[5:2:-1]
    first = metrics_of("made-up", some, wanted, table=table, everything=PAIRS, directions={})
    assert [metric.values.tolist() for metric in first] == [
        metric.values.tolist() for metric in compute_metrics(some, wanted)
    ]
    again = metrics_of("made-up", some, Wanted(), table=table, directions={})
    assert [(one.name, one.direction, one.values.tolist()) for one in again] == [
        (one.name, one.direction, one.values.tolist()) for one in first
    ]
    with pytest.raises(InvalidOption, match="expected --values in an existing directory, got"):
        metrics_of("made-up", some, wanted, table=tmp_path / "nowhere" / "values.parquet", directions={})
    with pytest.raises(InvalidOption, match="expected no --artifact and no --lpips beside the values in"):
        metrics_of("made-up", some, wanted, table=table, directions={})
    with pytest.raises(InvalidOption, match=f"--direction of one of {', '.join(ALWAYS)}, small, got other"):
        metrics_of("made-up", some, Wanted(), table=table, directions={"other": Direction.UP})
    with pytest.raises(InvalidDataset, match=r"metric values of caltech101 in .* got those of made-up"):
        read_values(table, "caltech101", some, {})
    added = pq.read_table(table)
    pq.write_table(added.append_column("mine", pa.array(np.arange(len(PAIRS), dtype=float))), table)
    with pytest.raises(InvalidOption, match="--direction mine=up"):
        read_values(table, "made-up", some, {})
    assert read_values(table, "made-up", some, {"mine": Direction.UP})[-1].values.tolist() == [5, 4, 3]
    again = pairs_of(made_up_set(originals=8, settings=3, seed=1))
    assert [pair.item for pair in again] == [pair.item for pair in PAIRS]
    with pytest.raises(
        InvalidDataset, match=r"metric values of made-up, sha256 .{12}, in .*, got those of .{12}: remove it"
    ):
        read_values(table, "made-up", again, {})
    pq.write_table(pq.read_table(table).replace_schema_metadata({b"dataset": b"made-up"}), table)
    assert read_values(table, "made-up", again, {"mine": Direction.UP})[-1].values.tolist()[:2] == [0, 1]


def test_values_of_other_items_are_refused(tmp_path: Path) -> None:
    """The error names missing items, a missing column, or a file that is no table."""
    table = tmp_path / "values.parquet"
    write_values(table, "made-up", PAIRS[:4], compute_metrics(PAIRS[:4], Wanted()))
    with pytest.raises(InvalidDataset, match=f"all 6 reconstructions .* none of 2, such as {PAIRS[4].item}"):
        read_values(table, "made-up", PAIRS[:6], {})
    pq.write_table(pa.table({"mse": [1.0]}), table)
    with pytest.raises(InvalidDataset, match="expected a column item"):
        read_values(table, "made-up", PAIRS, {})
    table.write_bytes(b"no")
    with pytest.raises(InvalidDataset, match="expected metric values in"):
        read_values(table, "made-up", PAIRS, {})


def test_fid_by_setting_agrees_as_it_should(small_artifact: Path) -> None:
    """A setting has one FID, and says where images are too few; where annotators follow FID, agreement is 1."""
    extractor = ArtifactFeatures(small_artifact)
    first = fid_by_setting(judged(PAIRS, [1] * 24), extractor)
    assert first.spearman is None
    ranked = [one.setting for one in sorted(first.settings, key=lambda one: one.value)]
    following = judged(PAIRS, [2 - ranked.index(pair.row.setting) for pair in PAIRS])
    fid = fid_by_setting(following, extractor)
    assert (fid.spearman, fid.kendall) == (pytest.approx(1), pytest.approx(1))
    assert (fid.dimension, [one.images for one in fid.settings]) == (12, [8, 8, 8])
    assert len(fid.rank_deficient) == 3
    with pytest.raises(InvalidDataset, match="a setting of at least 5"):
        fid_by_setting(following.take(np.arange(24) < 4), extractor)
    grown = pairs_of(Grown(SET.name, SET.rows, SET.originals, SET.reconstructions))
    with pytest.raises(InvalidDataset, match="originals of one size for FID in setting-0, got 2"):
        fid_by_setting(judged(grown, [1] * 24), extractor)


def test_kept_values_of_a_set_that_was_made_again_are_computed_again(tmp_path: Path) -> None:
    """Values of the reconstructions of before, or of nobody knows which, are none of those of now."""
    before = pairs_of(made_up_set(originals=8, settings=3, seed=1))
    again = [metric.values.tolist() for metric in compute_metrics(PAIRS, Wanted())]
    write_values(tmp_path / "made-up.parquet", "made-up", before, compute_metrics(before, Wanted()))
    values = baseline_metrics(Baselines(), judged(PAIRS, [1] * 24), tmp_path, tmp_path)
    assert [metric.values.tolist() for metric in values] == again
    write_values(tmp_path / "made-up.parquet", "made-up", before, compute_metrics(before, Wanted()))
    table = pq.read_table(tmp_path / "made-up.parquet")
    pq.write_table(table.replace_schema_metadata({b"dataset": b"made-up"}), tmp_path / "made-up.parquet")
    values = baseline_metrics(Baselines(), judged(PAIRS, [1] * 24), tmp_path, tmp_path)
    assert [metric.values.tolist() for metric in values] == again


def test_kept_values_without_a_metric_are_computed_again(tmp_path: Path) -> None:
    """Values that were kept before a metric was added do not hide it from a comparison."""
    write_values(tmp_path / "made-up.parquet", "made-up", PAIRS, compute_metrics(PAIRS, Wanted())[:2])
    of_some = judged(PAIRS[4:9], [1] * 5)
    values = baseline_metrics(Baselines(), of_some, tmp_path, tmp_path)
    again = compute_metrics(PAIRS[4:9], Wanted())
    assert [(one.name, one.values.tolist()) for one in values] == [(one.name, one.values.tolist()) for one in again]
