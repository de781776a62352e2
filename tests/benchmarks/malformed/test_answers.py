"""Some answers to malformed requests are faults."""

import json

import pytest

from benchmarks.harness.http_wire import HTTPAnswer
from benchmarks.harness.messages import request_bytes
from benchmarks.malformed.answers import http_fault, request_fault
from benchmarks.malformed.inputs.http_bodies import WANTED, WANTED_HEADER

_MODEL = {"name": "small", "version": "1", "sha256": "0"}
_SCORED = {
    "id": None,
    "distance": 0.1,
    "leakage": 0.7,
    "leakage_low": None,
    "leakage_high": None,
    "recognizable": True,
    "mse": 4.0,
    "psnr": None,
    "ssim": 1.0,
    "lpips": None,
    "resized": False,
    "uninformative": None,
    "chance": 0.005,
    "identified": True,
}
_SUMMARY = {
    "pairs": 1,
    "failed": 0,
    "max_leakage": 0.7,
    "mean_leakage": 0.7,
    "recognizable": 1,
    "uninformative": 0,
    "identified": 1,
}
_NOTHING = {
    "leakage": None,
    "recognizable": None,
    "uninformative": "original",
    "chance": None,
    "identified": None,
}
_NO_LEAKAGE = {"max_leakage": None, "mean_leakage": None, "recognizable": None, "identified": None}


@pytest.mark.parametrize(
    ("status", "body", "faulty"),
    [
        (400, b'{"error": {"code": "invalid_request", "message": "no"}}', False),
        (503, b'{"error": {"code": "not_ready", "message": "no"}}', False),
        (504, b'{"error": {"code": "timeout", "message": "no"}}', False),
        (500, b'{"error": {"code": "internal", "message": "no"}}', True),
        (503, b"Service Unavailable", True),
        (400, b"Bad Request", True),
        (200, b'File "/srv/service.py", line 3', True),
        (200, b"", False),
        (307, b"", True),
    ],
)
def test_which_answers_are_faults(status: int, body: bytes, faulty: bool) -> None:
    """An undocumented 5xx, an error out of its envelope, and any part of a trace are faults."""
    assert (http_fault(HTTPAnswer(status, {}, body), enveloped=True) is not None) is faulty


@pytest.mark.parametrize(
    ("results", "summary", "readable"),
    [
        ([_SCORED], _SUMMARY, True),
        ([_SCORED], _SUMMARY | {"max_leakage": 0.6}, False),
        ([_SCORED], _SUMMARY | {"recognizable": 0}, False),
        ([_SCORED], _SUMMARY | {"identified": 0}, False),
        ([_SCORED], _SUMMARY | {"failed": 1}, False),
        ([_SCORED | {"distance": None}], _SUMMARY, False),
        ([_SCORED | {"leakage": None}], _SUMMARY, False),
        ([_SCORED | _NOTHING], _SUMMARY | _NO_LEAKAGE | {"uninformative": 1}, True),
        ([_SCORED | _NOTHING], _SUMMARY | _NO_LEAKAGE | {"uninformative": 1, "recognizable": 0}, False),
        ([_SCORED | _NOTHING], _SUMMARY | _NO_LEAKAGE, False),
        ([], _SUMMARY, False),
        (None, _SUMMARY, False),
    ],
)
def test_an_answer_is_read_whole_or_not_at_all(results: object, summary: object, readable: bool) -> None:
    """An answer has numbers and the summary of its own rows; a 200 to a malformed request must have them, too."""
    body = json.dumps({"model": _MODEL, "results": results, "summary": summary}).encode()
    request = request_bytes({"Content-Type": "application/json"}, b'{"pairs":[{}]}')
    assert (request_fault(request, HTTPAnswer(200, {}, body)) is None) is readable
    if readable:
        two = request_bytes({"Content-Type": "application/json"}, b'{"pairs":[{},{}]}')
        assert request_fault(two, HTTPAnswer(200, {}, body)) is not None
        assert request_fault(two, HTTPAnswer(400, {}, b"")) is None


@pytest.mark.parametrize(
    ("wanted", "faulty"),
    [
        ("scored", False),
        ("scored|uninformative", False),
        ("uninformative", True),
        ("truncated_image|corrupt_image", True),
    ],
)
def test_a_pair_must_come_to_what_its_id_says(wanted: str, faulty: bool) -> None:
    """A pair that should have been refused, or called uninformative, is a fault when it is scored."""
    results = [_SCORED | {"id": WANTED + wanted}]
    body = json.dumps({"model": _MODEL, "results": results, "summary": _SUMMARY}).encode()
    request = request_bytes({"Content-Type": "application/json"}, b'{"pairs":[{}]}')
    assert (request_fault(request, HTTPAnswer(200, {}, body)) is not None) is faulty


@pytest.mark.parametrize(
    ("wanted", "faulty"),
    [("403 forbidden", False), ("400 invalid_request|403 forbidden", False), ("400 invalid_request", True)],
)
def test_an_answer_must_be_what_the_header_says(wanted: str, faulty: bool) -> None:
    """A request that should have been refused is a fault when it gets another refusal, or scores."""
    request = request_bytes({"Content-Type": "application/json", WANTED_HEADER: wanted}, b'{"pairs":[{}]}')
    refusal = HTTPAnswer(403, {}, b'{"error": {"code": "forbidden", "message": "no"}}')
    assert (request_fault(request, refusal) is not None) is faulty
    body = json.dumps({"model": _MODEL, "results": [_SCORED], "summary": _SUMMARY}).encode()
    assert request_fault(request, HTTPAnswer(200, {}, body)) is not None
