"""SemSim in the place of SSIM in NVFLARE's research code."""

import importlib.util
import inspect
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

pytest.importorskip("nvflare", reason="needs the extra nvflare")

from nvflare.apis.fl_component import FLComponent

from semsim import Scorer
from semsim.exceptions import InvalidConfiguration, InvalidImage, InvalidPair
from semsim.images import RGBImage, decode
from semsim_federation import nvflare_metric
from semsim_federation.nvflare import SemSimMetric
from tests.conftest import IMAGES


@pytest.fixture(scope="module")
def cat() -> RGBImage:
    """A photograph that is not square, so that no axis stands for another."""
    return decode(IMAGES / "cat.jpg")[:96, :128]


def test_it_answers_as_the_research_code_asks(cat: RGBImage) -> None:
    """``RelativeDataLeakageValueFilter`` reads ``metrics``, and calls with these names (rdlv_filter.py)."""
    metric = SemSimMetric()
    assert isinstance(metric, FLComponent)
    assert list(inspect.signature(metric).parameters) == ["source", "reference", "fl_ctx", "is_channel_first"]
    blurred = decode(IMAGES / "coffee.jpg")[:96, :128]
    first = np.swapaxes(cat, -1, 0).astype(np.float32)  # MONAI's readers give (channels, width, height)
    outputs = metric(source=torch.from_numpy(first.copy()), reference=first, fl_ctx=None, is_channel_first=True)
    other = metric(source=blurred, reference=cat, fl_ctx=None)
    assert list(outputs) == metric.metrics == ["leakage"]
    assert outputs["leakage"] > 0.9 > 0.5 > other["leakage"]


def test_its_values_are_those_of_the_scorer(cat: RGBImage) -> None:
    """The values are the scorer's, whatever the form of the images: their axes, their range, their type."""
    noisy = np.clip(cat + np.random.default_rng(0).normal(0, 40, cat.shape), 0, 255).round()
    (score,) = Scorer().score_images([cat], [noisy.astype(np.uint8)])
    metric = SemSimMetric(["leakage", "distance"])
    expected = {"leakage": score.leakage, "distance": score.distance}
    assert metric(noisy, cat) == expected
    assert metric(noisy / 255, cat / 255) == expected
    assert metric(np.swapaxes(noisy, -1, 0), np.swapaxes(cat, -1, 0), is_channel_first=True) == expected
    assert metric(torch.from_numpy(noisy), torch.from_numpy(cat.copy())) == expected
    assert metric(np.dstack([noisy, noisy[..., :1]]), cat) == expected


def test_grey_images_are_taken(cat: RGBImage) -> None:
    """X-rays may have one channel."""
    assert SemSimMetric()(cat[..., :1], cat[..., :1])["leakage"] > 0.9


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda image: image - 200.0, "expected values of 0..1 or 0..255"),
        (lambda image: image * np.nan, "expected values of 0..1 or 0..255, got nan"),
        (lambda image: image[..., 0], "got an array of shape"),
        (lambda image: image[..., :2], "expected an image with 1, 3 or 4 channels"),
    ],
)
def test_what_is_no_image_is_refused(cat: RGBImage, change: object, expected: str) -> None:
    """A mistake on the way to the metric is an error and no low leakage."""
    with pytest.raises(InvalidImage, match=expected):
        SemSimMetric()(change(cat.astype(float)), cat)


def test_a_pair_that_cannot_be_judged_fails(cat: RGBImage) -> None:
    """A blank reconstruction has no leakage; a value in its place would pass the filter's threshold."""
    with pytest.raises(
        InvalidPair, match="expected a pair that has a leakage, got another one: the reconstruction is blank"
    ):
        SemSimMetric()(np.full(cat.shape, 128.0), cat)


def test_other_metrics_are_refused() -> None:
    """SSIM is the research code's own."""
    with pytest.raises(InvalidConfiguration, match="expected the metrics leakage and distance, got ssim"):
        SemSimMetric("ssim")


def test_it_is_a_metric_of_the_research_code_where_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The research filter takes subclasses of its own ``SimMetric`` alone (rdlv_filter.py, ``_setup``)."""
    base = type("SimMetric", (FLComponent,), {})
    research = ModuleType("nvflare_gradinv.filters.image_sim")
    research.SimMetric = base  # type: ignore[attr-defined]
    for name in ("nvflare_gradinv", "nvflare_gradinv.filters"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, research.__name__, research)
    spec = importlib.util.spec_from_file_location("metric_beside_the_research_code", nvflare_metric.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert issubclass(module.SemSimMetric, base)
