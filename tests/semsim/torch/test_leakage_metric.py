"""The metric of torchmetrics: the totals of the scorer, over batches and processes."""

import copy
import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, distributed
from torchmetrics import MetricCollection

from semsim import Scorer
from semsim.calibration import IsotonicCalibration
from semsim.exceptions import InvalidPair, NotCalibrated
from semsim.images import RGBImage
from semsim.summary import summarize
from semsim.torch import LeakageMetric
from tests.artifacts import write_artifact
from tests.conftest import CPU
from tests.encoded import picture

SIDE = 40


def tensor(images: list[RGBImage]) -> Tensor:
    """Images of one size as uint8 ``(N, 3, H, W)``."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


@pytest.fixture(scope="module")
def pairs() -> tuple[Tensor, Tensor]:
    """Eight pairs: copies, other pictures, and three of which nothing can be told."""
    pictures = [picture(SIDE, SIDE, seed=seed) for seed in range(8)]
    plain, grey = np.full_like(pictures[0], 90), np.full_like(pictures[0], 128)
    others = [*pictures[:3], pictures[4], pictures[3], grey, pictures[6][:, ::-1].copy(), pictures[7]]
    return tensor([*pictures[:7], plain]), tensor(others)


def totals(metric: LeakageMetric) -> dict[str, float]:
    """The values that the metric computes, as numbers."""
    return {name: float(value) for name, value in metric.compute().items()}


def test_the_totals_are_the_scorers(pairs: tuple[Tensor, Tensor]) -> None:
    """Means, counts and uninformative pairs are those of the scorer's summary; a blank pair does not lower the mean."""
    originals, others = pairs
    images = [list(one.permute(0, 2, 3, 1).contiguous().numpy()) for one in pairs]
    expected = summarize(Scorer(providers=CPU).score_images(*images))
    assert expected.uninformative >= 2
    metric = LeakageMetric()
    for part in (slice(0, 3), slice(3, 8)):
        metric.update(originals[part], others[part].float() / 255)
    computed = totals(metric)
    assert computed == pytest.approx({name: getattr(expected, name) for name in computed}, abs=1e-5)
    for again in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):  # noqa: S301
        assert totals(again) == computed
    assert float(MetricCollection([metric]).compute()["mean_leakage"]) == computed["mean_leakage"]
    metric.reset()
    assert totals(metric)["pairs"] == 0
    metric.update(originals[7:], others[7:])
    nothing = totals(metric)
    assert np.isnan([nothing.pop("mean_leakage"), nothing.pop("max_leakage")]).all()
    assert nothing == {"recognizable": 0, "pairs": 1, "uninformative": 1}


def test_what_has_no_leakage_is_refused(tmp_path: Path, pairs: tuple[Tensor, Tensor]) -> None:
    """A model without a calibration, and a sheet of several reconstructions, are refused."""
    with pytest.raises(NotCalibrated, match=r"expected a calibrated model, got small 0\.0\.1"):
        LeakageMetric(write_artifact(tmp_path / "small"))
    with pytest.raises(InvalidPair, match="a sheet of several"):
        LeakageMetric().update(pairs[0], torch.cat([pairs[1]] * 3, dim=3))


def test_a_leakage_at_the_threshold_is_recognizable(tmp_path: Path) -> None:
    """A level step of the calibration at the threshold is recognizable, as for the scorer, even if it rounds down."""
    at = 0.7  # the nearest number in single precision is below it
    assert float(np.float32(at)) < at
    curve = IsotonicCalibration(distances=(0.0, 1e6), leakages=(at, at))
    artifact = write_artifact(tmp_path / "level", calibration=curve, threshold=at)
    images = picture(SIDE, SIDE, seed=1), picture(SIDE, SIDE, seed=2)
    assert Scorer(artifact, providers=CPU).score(*images).recognizable
    metric = LeakageMetric(artifact)
    metric.update(*(tensor([image]) for image in images))
    assert totals(metric)["recognizable"] == 1


def test_a_collection_keeps_two_artifacts_apart(tmp_path: Path, pairs: tuple[Tensor, Tensor]) -> None:
    """The metrics of two artifacts have numbers of their own, also where nothing could be told of the first batch."""
    metrics = {}
    for name, leakage in (("high", 0.9), ("low", 0.2)):
        curve = IsotonicCalibration(distances=(0.0, 1e6), leakages=(leakage, leakage))
        metrics[name] = LeakageMetric(write_artifact(tmp_path / name, calibration=curve, threshold=0.1))
    collection = MetricCollection(metrics)
    collection.update(pairs[0][7:], pairs[1][7:])
    collection.update(pairs[0][:1], pairs[1][:1])
    computed = collection.compute()
    assert [float(computed[f"{name}_mean_leakage"]) for name in metrics] == pytest.approx([0.9, 0.2])


def _share(rank: int, rendezvous: str, metric: LeakageMetric, originals: Tensor, others: Tensor, answers: Any) -> None:
    """Update the metric with every second pair, in one process of two, and send the totals of both."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    metric.update(originals[rank::2], others[rank::2])
    answers.put(totals(metric))
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_have_the_totals_of_one(tmp_path: Path, pairs: tuple[Tensor, Tensor]) -> None:
    """Over gloo each of two processes computes what one process computes of all pairs."""
    metric = LeakageMetric()
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    rendezvous = f"file://{tmp_path / 'rendezvous'}"
    processes = [context.Process(target=_share, args=(rank, rendezvous, metric, *pairs, answers)) for rank in (0, 1)]
    for process in processes:
        process.start()
    received = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(timeout=60)
    metric.update(*pairs)
    assert received == [pytest.approx(totals(metric))] * 2
