"""Mean times of a request, from Prometheus's text."""

import pytest

from benchmarks.harness.metrics import read_metrics
from benchmarks.serving.parts import Stage, stages

_BEFORE = """# TYPE semsim_request_seconds histogram
semsim_request_seconds_bucket{le="0.5",transport="http"} 1.0
semsim_request_seconds_sum{transport="http"} 1.0
semsim_request_seconds_count{transport="http"} 2.0
semsim_request_seconds_sum{transport="grpc"} 50.0
# TYPE semsim_decode_seconds histogram
semsim_decode_seconds_sum 0.25
"""
_AFTER = _BEFORE.replace("} 1.0", "} 9.0").replace("} 2.0", "} 6.0").replace("0.25", "2.25")


def test_stages_are_means_of_what_came_between() -> None:
    """Only one transport's requests count; what no stage covers is the rest."""
    means = stages(read_metrics(_BEFORE), read_metrics(_AFTER), "http")
    assert means == {Stage.DECODE: 0.5, Stage.QUEUE: 0, Stage.INFERENCE: 0, Stage.REST: pytest.approx(1.5)}
