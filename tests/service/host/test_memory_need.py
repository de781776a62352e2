"""A memory limit that the largest requests may break is told in one line."""

import logging

import pytest

from semsim_service.host.memory_need import memory_need, tell_memory_need
from semsim_service.settings import Limits, QueueLimits, Settings


def test_the_need_follows_the_settings() -> None:
    """Each setting that bounds what requests hold counts, once for each worker."""
    small = Settings(
        decode_threads=1,
        scoring_process=False,
        limits=Limits(request_pixels=2**20, body_bytes=2**20),
        queue=QueueLimits(bytes=2**20),
    )
    assert memory_need(small) == (128 + 384 + 3 + 3 * 64 + 2 * 31) * 2**20
    assert memory_need(small.model_copy(update={"lpips": "lpips"})) - memory_need(small) == (64 + 3 * 144) * 2**20
    more = {"workers": 2, "cache_bytes": 2**20, "decode_threads": 3}
    assert memory_need(small.model_copy(update=more)) == (128 + 2 * (384 + 3 + 7 * 64 + 4 * 31 + 1)) * 2**20
    beside = small.model_copy(update={"scoring_process": True})
    assert memory_need(beside) - memory_need(small) == 192 * 2**20
    both = {"cache_bytes": 2**20, "scoring_process": True}
    assert memory_need(small.model_copy(update=both)) - memory_need(beside) == 2 * 2**20, "each has a cache"
    with_lpips = {"lpips": "lpips"}
    assert memory_need(beside.model_copy(update=with_lpips)) == memory_need(small.model_copy(update=with_lpips))


def test_the_need_follows_the_largest_picture() -> None:
    """A thread holds a few pictures at a time, however many a request has; a request bounds each, too."""
    needs = [
        memory_need(Settings(decode_threads=1, limits=Limits(image_pixels=image, request_pixels=request)))
        for image, request in ((2**24, 2**24), (2**24, 2**27), (2**26, 2**26), (2**27, 2**26))
    ]
    assert needs[0] == needs[1]
    assert needs[2] == needs[3] == needs[0] + 2 * 31 * (2**26 - 2**24)


@pytest.mark.parametrize(("limit", "told"), [(None, 0), (2**29, 1), (2**40, 0)])
def test_a_small_limit_is_told(limit: int | None, told: int, caplog: pytest.LogCaptureFixture) -> None:
    """A control group of 512 MiB is told in one line; none, and a large one, are not."""
    with caplog.at_level(logging.WARNING, "semsim.service"):
        tell_memory_need(Settings(), limit)
    assert [record.getMessage().startswith("the memory limit of 512 MiB is below") for record in caplog.records] == [
        True
    ] * told
