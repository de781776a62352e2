"""Parts of the service's CPU, from sampled stacks, and stages of a request's time, from its metrics."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum

from benchmarks.harness.metrics import Metrics


class Stage(StrEnum):
    """A part of a request's time, and its name in the table."""

    DECODE = "decoding, resizing, pixel metrics"
    QUEUE = "waiting"
    INFERENCE = "in the network's batches"
    REST = "all else"
    """The rest: reading the body, the answer, and waiting for the event loop."""


def stages(before: Metrics, after: Metrics, transport: str) -> dict[Stage, float]:
    """Mean seconds of a request in each stage, over the requests of one transport that came between."""

    def passed(name: str, **labels: str) -> float:
        return after.total(f"semsim_{name}", **labels) - before.total(f"semsim_{name}", **labels)

    count = max(1.0, passed("request_seconds_count", transport=transport))
    known = {
        stage: passed(f"{stage.name.lower()}_seconds_sum") / count
        for stage in (Stage.DECODE, Stage.QUEUE, Stage.INFERENCE)
    }
    request_seconds = passed("request_seconds_sum", transport=transport) / count
    return known | {Stage.REST: request_seconds - sum(known.values())}


class Part(StrEnum):
    """The things that CPU is spent on, from the work itself to what surrounds it."""

    colour: str

    def __new__(cls, name: str, colour: str) -> "Part":
        """A part with its name in tables, and its colour in the picture."""
        part = str.__new__(cls, name)
        part._value_, part.colour = name, colour
        return part

    # The work in blues, encoded images in greens, what surrounds it in warm colours.
    NETWORK = "network", "#1f4e79"
    METRICS = "pixel metrics", "#4682b4"
    RESIZING = "resizing", "#9dc3e6"
    CHECKS = "checks for pairs of which nothing can be told", "#2e75b6"
    COMBINING = "distances, controls, calibration", "#bdd7ee"
    DECODING = "PNG decoding", "#548235"
    PARSING = "parsing the body (base64)", "#a9d18e"
    DIGESTS = "digests", "#7f7f7f"
    CORE = "batcher, queue, deadline", "#bfbfbf"
    ANSWER = "answer", "#ffe699"
    COUNTING = "our metrics", "#ffd966"
    TRANSPORT = "our HTTP or gRPC code", "#f4b183"
    STARLETTE = "Starlette", "#ed7d31"
    BENTOML = "BentoML's middleware", "#c00000"
    SERVER = "HTTP or gRPC server, event loop", "#7030a0"
    OTHER = "other", "#e6e6e6"


# The first frame from the inside out that one of these names decides: by file, and function where it matters.
RULES = tuple(
    (re.compile(pattern), part)
    for pattern, part in (
        (r"/semsim/embedder\.py", Part.NETWORK),
        (r"/semsim/pixel_metrics\.py", Part.METRICS),
        (r"/semsim/uninformative/", Part.CHECKS),
        (r"/semsim/images/resize\.py", Part.RESIZING),
        (r"distinct \(.*/semsim/distinct\.py", Part.RESIZING),
        (r"/semsim/(images/|pairs\.py)", Part.DECODING),
        (r"/semsim_service/http/(\w*_)?body\.py", Part.PARSING),
        (r"/semsim_service/grpc_transport/\w+/(wire|raw_images|score_request|inputs)\.py", Part.PARSING),
        (r"/semsim_service/core/image_digests\.py", Part.DIGESTS),
        (r"/semsim_service/core/answer\.py|_json \(.*/semsim_service/http/app\.py", Part.ANSWER),
        (r"/(semsim_v1/score_response|semsim/summary|semsim/calibration)\.py", Part.ANSWER),
        (r"combine.* \(.*/semsim/scorer\.py", Part.COMBINING),
        (r"/semsim_service/core/metrics\.py", Part.COUNTING),
        (r"/semsim_service/core/", Part.CORE),
        (r"/semsim_service/(http|grpc_transport)/", Part.TRANSPORT),
        (r"/(_?bentoml\w*|_bentoml_impl|opentelemetry)/", Part.BENTOML),
        (r"/starlette/", Part.STARLETTE),
        (r"/(uvicorn|grpc|uvloop|httptools)/|asyncio/runners\.py", Part.SERVER),
    )
)
_THREAD = re.compile(r"thread \((\d+)\)")
# Threads that wait, where the sampler takes them for busy.
_WAITING = re.compile(
    r"^((wait|\w+\.wait|get|\w+\.get|_worker) \(.*/(threading|queue|thread)|_work \(.*/core/lane)\.py:\d+\)$"
)
# Prometheus's clock is turned by BentoML and by us: the frame around it says which. So with all other libraries.


def part_of(frames: list[str]) -> Part | None:
    """The part that a stack, outermost frame first, was busy with; None where it waits."""
    if _WAITING.match(frames[-1]):
        return None
    for frame in reversed(frames):
        for pattern, part in RULES:
            if pattern.search(frame):
                return part
    return Part.OTHER


def shares(folded: Iterable[str], cpu: Mapping[int, float]) -> dict[Part, float]:
    """The share of each part in the CPU of a process's threads.

    Samples are lines ``thread (ID): name;frame;frame COUNT``, outermost frame first, perhaps behind that of a process.
    Some threads that wait seem busy, and those without Python are missing: ``cpu`` has the seconds of each.
    """
    sampled: defaultdict[int, Counter[Part]] = defaultdict(Counter)
    for line in folded:
        stack, _, count = line.rpartition(" ")
        thread = _THREAD.search(stack)
        part = part_of(stack.split(";"))
        if thread is not None and part is not None:
            sampled[int(thread[1])][part] += int(count)
    spent: defaultdict[Part, float] = defaultdict(float)
    for identity, seconds in cpu.items():
        counts = sampled.get(identity) or Counter({Part.SERVER: 1})
        for part, times in counts.items():
            spent[part] += seconds * times / counts.total()
    total = sum(spent.values())
    return {part: seconds / total for part, seconds in spent.items()}
