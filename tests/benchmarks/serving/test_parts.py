"""Sampled stacks count as parts of the CPU, and metrics as stages of a request's time."""

import re

import pytest

from benchmarks.harness.metrics import read_metrics
from benchmarks.serving.parts import RULES, Part, Stage, part_of, shares, stages
from tests.conftest import ROOT

_EMBED = "thread (7): batcher;run (/x/threading.py:9);embed (/a/semsim/embedder.py:44);run (/x/onnxruntime/capi/a.py:1)"
_LOOP = "thread (5): MainThread;run (/x/asyncio/runners.py:118)"
_ACCESS = f"{_LOOP};send (/x/bentoml/_internal/server/http/access.py:1);info (/x/logging/__init__.py:2)"
_BEFORE = """# TYPE semsim_request_seconds histogram
semsim_request_seconds_bucket{le="0.5",transport="http"} 1.0
semsim_request_seconds_sum{transport="http"} 1.0
semsim_request_seconds_count{transport="http"} 2.0
semsim_request_seconds_sum{transport="grpc"} 50.0
# TYPE semsim_decode_seconds histogram
semsim_decode_seconds_sum 0.25
"""
_AFTER = _BEFORE.replace("} 1.0", "} 9.0").replace("} 2.0", "} 6.0").replace("0.25", "2.25")


@pytest.mark.parametrize(
    ("stack", "part"),
    [
        (_EMBED, Part.NETWORK),
        (_LOOP, Part.SERVER),
        (_ACCESS, Part.BENTOML),
        (
            f"{_LOOP};_prepare (/a/semsim_service/core/scoring.py:3);f (/a/semsim/images/resize.py:1);x (/x/PIL/a:1)",
            Part.RESIZING,
        ),
        ("thread (8): decode_0;_worker (/x/concurrent/futures/thread.py:81)", None),
        ("thread (9): AnyIO;get (/x/queue.py:171);Condition.wait (/x/threading.py:327)", None),
    ],
)
def test_the_innermost_known_frame_says_what_a_stack_does(stack: str, part: Part | None) -> None:
    """Libraries count for who called them; a thread that waits does nothing."""
    assert part_of(stack.split(";")) is part


def test_threads_weigh_what_they_took() -> None:
    """The number of their samples does not count; a thread without samples is the server's."""
    parts = shares([f"{_EMBED} 10", f"{_LOOP} 30", f"{_ACCESS} 10"], {7: 6.0, 5: 2.0, 11: 2.0})
    assert parts == {Part.NETWORK: 0.6, Part.SERVER: pytest.approx(0.35), Part.BENTOML: pytest.approx(0.05)}


def test_stages_are_means_of_what_came_between() -> None:
    """Only one transport's requests count; what no stage covers is the rest."""
    means = stages(read_metrics(_BEFORE), read_metrics(_AFTER), "http")
    assert means == {Stage.DECODE: 0.5, Stage.QUEUE: 0, Stage.INFERENCE: 0, Stage.REST: pytest.approx(1.5)}


def test_every_rule_about_our_code_names_code_that_is_there() -> None:
    """A file or a function that is renamed takes its rule along."""
    frames = [
        f"{name} ({path}:1)"
        for folder in (ROOT / "semsim", ROOT / "service" / "semsim_service")
        for path in folder.rglob("*.py")
        for name in re.findall(r"def (\w+)", path.read_text())
    ]
    for rule, part in RULES:
        for alternative in rule.pattern.split("|") if "(" not in rule.pattern.replace(r"\(", "") else [rule.pattern]:
            if "semsim" in alternative:
                assert any(re.search(alternative, frame) for frame in frames), f"{part}: {alternative}"
