"""The service's figures are read whole, or not at all."""

import pytest

from benchmarks.harness.metrics import read_metrics


def test_counters_that_are_not_there_are_not_zero() -> None:
    """A page of metrics without the queue's gauges is refused."""
    gauges = "semsim_queue_pairs 3\nsemsim_queue_bytes 4\n"
    assert read_metrics(gauges).gauge("semsim_queue_pairs") == 3
    with pytest.raises(OSError, match="semsim_queue_bytes"):
        read_metrics("semsim_queue_pairs 3\n").gauge("semsim_queue_bytes")
