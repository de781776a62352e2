"""Hostile input over HTTP gets no 500 and no stack trace, but the envelope, and the service still answers."""

import json

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from semsim.exceptions import ErrorCode
from tests.conftest import ROOT
from tests.encoded import encode, picture
from tests.service.live import CLIENT, LiveService, base64_pair

TRACES = ("Traceback", 'File "', "site-packages", ".py")
GOOD = encode(picture())
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)

fuzzing = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)

schema = schemathesis.openapi.from_path(ROOT / "docs" / "openapi.json")


def assert_civil(answer: httpx.Response) -> None:
    """The answer is no server error and shows no trace. An error is an envelope with a known code."""
    assert answer.status_code < 500, answer.text
    assert not [trace for trace in TRACES if trace in answer.text]
    if answer.status_code >= 400:
        assert ErrorCode(answer.json()["error"]["code"])


def assert_contract(case: schemathesis.Case, service: LiveService) -> None:
    """A request made from the committed OpenAPI, right or wrong, gets only what the document says, and no trace."""
    answer = case.call_and_validate(base_url=service.url, checks=list(CHECKS), timeout=30)
    sent = str(case.body)  # an id comes back as it was sent
    assert not [trace for trace in TRACES if trace in answer.text and trace not in sent]


# A test for each path. Schemathesis would give the tests of all paths one node id, of which pytest-xdist runs one test.
@schema.include(path="/score").parametrize()
@settings(fuzzing, max_examples=120)
def test_score_keeps_its_contract(case: schemathesis.Case, service: LiveService) -> None:
    """``POST /score`` keeps to the document."""
    assert_contract(case, service)


@schema.include(path="/v1/score").parametrize()
@settings(fuzzing, max_examples=20)
def test_the_versioned_score_keeps_its_contract(case: schemathesis.Case, service: LiveService) -> None:
    """``POST /v1/score``, which is the same endpoint, keeps to the document."""
    assert_contract(case, service)


@schema.include(path="/model").parametrize()
@settings(fuzzing, max_examples=120)
def test_model_keeps_its_contract(case: schemathesis.Case, service: LiveService) -> None:
    """``GET /model`` keeps to the document."""
    assert_contract(case, service)


@schema.include(path="/metrics").parametrize()
@settings(fuzzing, max_examples=120)
def test_metrics_keep_their_contract(case: schemathesis.Case, service: LiveService) -> None:
    """``GET /metrics`` keeps to the document."""
    assert_contract(case, service)


@schema.include(path="/livez").parametrize()
@settings(fuzzing, max_examples=120)
def test_liveness_keeps_its_contract(case: schemathesis.Case, service: LiveService) -> None:
    """``GET /livez`` keeps to the document."""
    assert_contract(case, service)


@schema.include(path="/readyz").parametrize()
@settings(fuzzing, max_examples=120)
def test_readiness_keeps_its_contract(case: schemathesis.Case, service: LiveService) -> None:
    """``GET /readyz`` keeps to the document."""
    assert_contract(case, service)


def test_every_path_has_a_contract_test() -> None:
    """The document has no path without a test above."""
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert set(document["paths"]) == {"/score", "/v1/score", "/model", "/metrics", "/livez", "/readyz"}


@given(content=st.binary(max_size=2000), role=st.sampled_from(["original", "reconstruction"]))
@settings(fuzzing, max_examples=300)
def test_any_bytes_as_an_image_fail_alone(service: LiveService, content: bytes, role: str) -> None:
    """Bytes that are no image fail their own pair. The pair beside it is scored."""
    good = base64_pair(GOOD, GOOD)
    bad = good | {role: base64_pair(content, content)[role]}
    answer = service.post([bad, good])
    assert_civil(answer)
    first, second = answer.json()["results"]
    assert first["error"]["code"] in set(ErrorCode)
    assert second["distance"] == 0


@given(
    seed=st.sampled_from([encode(picture(), kind) for kind in ("PNG", "JPEG", "WEBP")]),
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=10),
    cut=st.integers(0, 10**6),
)
@settings(fuzzing, max_examples=300)
def test_damaged_images_are_scored_or_fail_alone(
    service: LiveService, seed: bytes, edits: list[tuple[int, int]], cut: int
) -> None:
    """Real files with changed bytes and cut ends never disturb the service or the pair beside them."""
    damaged = bytearray(seed)
    for position, value in edits:
        damaged[position % len(damaged)] = value
    content = bytes(damaged[: len(damaged) - cut % len(damaged)])
    files = [("original", ("o", GOOD)), ("reconstruction", ("r", content)), ("reconstruction", ("r", GOOD))]
    answer = CLIENT.post(f"{service.url}/score", files=files)
    assert_civil(answer)
    assert answer.json()["results"][1]["distance"] == 0


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["pairs", "original", "reconstruction", "id", "x"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(body=_JSON | st.builds(lambda pairs: {"pairs": pairs}, st.lists(_JSON, max_size=5)))
@settings(fuzzing, max_examples=300)
def test_any_json_is_answered_civilly(service: LiveService, body: object) -> None:
    """JSON of any shape is scored, or refused with the envelope."""
    assert_civil(
        CLIENT.post(f"{service.url}/score", content=json.dumps(body), headers={"content-type": "application/json"})
    )


@given(body=st.binary(max_size=500), kind=st.sampled_from(["application/json", "multipart/form-data; boundary=b"]))
@settings(fuzzing, max_examples=200)
def test_any_body_is_answered_civilly(service: LiveService, body: bytes, kind: str) -> None:
    """Random bytes under either content type are refused with the envelope."""
    for content in (
        body,
        b"--b\r\n" + body,
        b'--b\r\nContent-Disposition: form-data; name="original"; filename="x"' + body,
    ):
        assert_civil(CLIENT.post(f"{service.url}/score", content=content, headers={"content-type": kind}))


@pytest.mark.parametrize(
    "path", ["/score/", "//score", "/score%00", "/" + "x" * 5000, "/%ff", "/model?x=" + "y" * 3000]
)
def test_odd_paths_are_answered_civilly(service: LiveService, path: str) -> None:
    """Odd paths get the envelope or the endpoint they name."""
    assert_civil(CLIENT.get(f"{service.url}{path}"))


@pytest.mark.parametrize("path", ["/score/", "/model/", "/livez/"])
def test_no_answer_leads_to_the_host_that_a_client_names(service: LiveService, path: str) -> None:
    """A path with a slash too many is not found. Starlette would redirect to the host of the request's header."""
    answer = CLIENT.post(f"{service.url}{path}", headers={"host": "elsewhere.example"}, follow_redirects=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "location" not in answer.headers
