"""The load generator, against real servers."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.serving.cells import Format
from benchmarks.serving.figures import Run
from benchmarks.serving.load import Generator
from benchmarks.serving.pairs import Pairs, file_of
from semsim import Scorer
from tests.service.live import LiveService

_SIDE = 32


def _write_pairs(folder: Path, scorer: Scorer) -> Pairs:
    images = np.random.default_rng(0).integers(0, 256, (2, 16, _SIDE, _SIDE, 3), dtype=np.uint8)
    scores = scorer.score_images(list(images[0]), list(images[1]))
    pairs = Pairs(images[0], images[1], np.array([score.distance for score in scores]))
    pairs.save(file_of(folder, _SIDE))
    return pairs


def _measure(folder: Path, service: LiveService, form: Format, path: str = "/score") -> Run:
    address = service.grpc if form is Format.GRPC else service.url
    figures = Generator(folder).measure(
        form=form.value,
        path=path,
        port=int(address.rpartition(":")[2]),
        pid=os.getpid(),
        side=_SIDE,
        pairs=2,
        clients=2,
        warm_up=0.0,
        seconds=0.3,
    )
    return Run(**figures)


@pytest.mark.parametrize("form", [Format.JSON, Format.RAW, Format.GRPC])
def test_a_live_service_is_measured(form: Format, service: LiveService, bundled: Scorer, tmp_path: Path) -> None:
    """Over HTTP and gRPC, its answers checked against the library's."""
    _write_pairs(tmp_path, bundled)
    run = _measure(tmp_path, service, form)
    assert run.pairs_per_second > 0
    assert 0 < run.p50 <= run.p99


def test_wrong_distances_do_not_count(service: LiveService, bundled: Scorer, tmp_path: Path) -> None:
    """A server that answers fast and wrong must not win."""
    pairs = _write_pairs(tmp_path, bundled)
    Pairs(pairs.originals, pairs.reconstructions, pairs.distances + 0.01).save(file_of(tmp_path, _SIDE))
    with pytest.raises(RuntimeError, match="expected distances"):
        _measure(tmp_path, service, Format.RAW)


def test_refusals_do_not_count(service: LiveService, bundled: Scorer, tmp_path: Path) -> None:
    """Nor does any other answer that is no success."""
    _write_pairs(tmp_path, bundled)
    with pytest.raises(RuntimeError, match="expected status 200, got 404"):
        _measure(tmp_path, service, Format.RAW, "/nowhere")
