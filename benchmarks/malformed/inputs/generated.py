"""Inputs that hypothesis and schemathesis make, from the shape of the request and from docs/openapi.json."""

import json
from pathlib import Path
from typing import Any, cast

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from benchmarks.harness.messages import JSON_TYPE, OCTETS_TYPE, request_bytes

OPENAPI = Path(__file__).parents[3] / "docs" / "openapi.json"
_RANDOM_HEADER = "X-Schemathesis-TestCaseId"

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("iVBORw0KGgo=")
_KEYS = st.sampled_from(["pairs", "original", "reconstruction", "id", "x"]) | st.text(max_size=5)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=20
)
_BODIES = _JSON | st.builds(lambda pairs: {"pairs": pairs}, st.lists(_JSON, max_size=4))
_SHAPES = st.text("0123456789,-. x", max_size=12) | st.builds("{},{},{}".format, *[st.integers(-2, 40)] * 3)

_SETTINGS = settings(database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


def _examples(strategy: "st.SearchStrategy[Any]", count: int, number: int) -> list[Any]:
    """``count`` examples of a strategy, or as many as there are, the same for the same ``number``."""
    examples: list[Any] = []

    @seed(number)
    @settings(_SETTINGS, max_examples=count)
    @given(strategy)
    def collect(example: Any) -> None:
        examples.append(example)

    collect()
    return examples


def from_strategies(count: int, number: int) -> list[bytes]:
    """Requests with JSON of any shape, and raw bodies with any shape in the header."""
    bodies = _examples(_BODIES, count // 2, number)
    raws = _examples(st.tuples(_SHAPES, st.binary(max_size=400)), count - count // 2, number)
    return [
        *(request_bytes({"Content-Type": JSON_TYPE}, json.dumps(body).encode()) for body in bodies),
        *(request_bytes({"Content-Type": OCTETS_TYPE, "X-Semsim-Shape": shape}, body) for shape, body in raws),
    ]


def from_openapi(count: int, number: int) -> list[bytes]:
    """Requests that schemathesis makes from the document, half of them against it."""
    schema = schemathesis.openapi.from_path(OPENAPI)
    inputs: list[bytes] = []
    for mode in (GenerationMode.NEGATIVE, GenerationMode.POSITIVE):
        strategy = schema["/score"]["POST"].as_strategy(generation_mode=mode)
        inputs += [_as_bytes(case) for case in _examples(strategy, count // 2, number)]
    return [one for one in inputs if one]


def _as_bytes(case: "schemathesis.Case[Any]") -> bytes:
    """The request of a case, as it would go over the wire; nothing where it cannot."""
    given = case.as_transport_kwargs(base_url="http://semsim")
    known = ("method", "url", "headers", "params", "data", "json", "files", "cookies")
    try:
        prepared = requests.Request(**{name: given[name] for name in known if name in given}).prepare()
    except (ValueError, requests.RequestException):
        return b""
    body, sent = cast(Any, prepared.body or b""), prepared.headers
    dropped = (_RANDOM_HEADER, "Content-Length", "Connection")
    native = ((name, value if isinstance(value, str) else value.decode("latin-1")) for name, value in sent.items())
    headers = {name: value for name, value in native if name not in dropped}
    content = body.encode() if isinstance(body, str) else bytes(body)
    return request_bytes(headers, content, method=prepared.method or "POST", path=prepared.path_url)
