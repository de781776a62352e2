"""Whatever happens between the gRPC client and the service: no pair is lost, none comes twice, and none is made up."""

import asyncio
import logging
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from semsim import PairFailure, SemSimError
from semsim.client import AsyncGrpcClient, GrpcClient
from semsim.exceptions import (
    ErrorCode,
    InvalidAnswer,
    InvalidRequest,
    NotFound,
    Overloaded,
    RequestTimeout,
    ServiceUnreachable,
    Unauthenticated,
)
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from tests.encoded import encode, picture
from tests.semsim.client.conftest import Expected, same
from tests.semsim.client.faulty_grpc import Ask, CallFault, FaultyCalls, Relay, answer_lost, answers, ends, late
from tests.service.live import LiveService, free_port

Status = grpc.StatusCode
AWAY = ends(Status.UNAVAILABLE)
OVERLOADED = ends(Status.RESOURCE_EXHAUSTED, "overloaded", retry_after="0")
PASSING: dict[str, list[CallFault | None]] = {
    "unavailable": [AWAY, None, AWAY, AWAY],
    "answers lost": [answer_lost, answer_lost],
    "slow": [late(0.4), None, late(0.2)],
    "overloaded": [OVERLOADED, None, ends(Status.RESOURCE_EXHAUSTED, "overloaded"), ends(Status.RESOURCE_EXHAUSTED)],
    "not ready": [ends(Status.UNAVAILABLE, "not_ready")] * 2,
    "reset": [ends(Status.CANCELLED), ends(Status.INTERNAL), ends(Status.UNKNOWN, details="Stream removed")],
    "all of them": [
        ends(Status.UNAVAILABLE),
        answer_lost,
        OVERLOADED,
        late(0.2),
        ends(Status.UNAVAILABLE, "not_ready"),
    ],
}


@pytest.mark.parametrize("name", PASSING)
def test_passing_faults_lose_no_pair(calls: FaultyCalls, expected: Expected, name: str) -> None:
    """The outcomes are those without a fault, in their order."""
    calls.faults.extend(PASSING[name])
    with GrpcClient(calls.url) as client:
        same(client.score_pairs(expected.pairs), expected.outcomes)
    assert not calls.faults


def test_connections_that_are_cut_lose_no_pair(service: LiveService, expected: Expected) -> None:
    """Cut before the first answer, and in the middle of the answers: requests go over the next connection."""
    relay = Relay(service.grpc, cuts=[0, 30, 6_000, 10_000])
    try:
        with GrpcClient(relay.url) as client:
            same(client.score_pairs(expected.pairs), expected.outcomes)
        assert not relay.cuts
    finally:
        relay.close()


def test_the_client_waits_as_long_as_it_is_asked(calls: FaultyCalls, expected: Expected) -> None:
    """``retry-after: 1`` is one second; a wait beyond the patience is told at once."""
    calls.faults.append(ends(Status.RESOURCE_EXHAUSTED, "overloaded", retry_after="1"))
    with GrpcClient(calls.url, patience=20) as client:
        same(client.score_pairs(expected.pairs[:2]), expected.outcomes[:2])
        first, second = calls.messages
        assert second.at - first.at >= 1
        calls.faults.append(ends(Status.RESOURCE_EXHAUSTED, "overloaded", retry_after="3600"))
        began = time.monotonic()
        with pytest.raises(Overloaded) as raised:
            client.score_pairs(expected.pairs[:2])
        assert time.monotonic() - began < 2
        assert raised.value.retry_after == 3600
        assert raised.value.__context__ is None  # no frame with images hangs on the error


def test_a_request_that_has_no_answer_in_time_is_sent_again(calls: FaultyCalls, expected: Expected) -> None:
    """An attempt ends at its timeout, and the call at its deadline."""
    calls.faults.append(late(2))
    with GrpcClient(calls.url, timeout=1) as client:
        same(client.score_pairs(expected.pairs[:2]), expected.outcomes[:2])
        calls.always = late(1)
        began = time.monotonic()
        with pytest.raises(RequestTimeout, match=r"within 0\.5 s"):
            client.score_pairs(expected.pairs, deadline=0.5)
        assert time.monotonic() - began < 0.95


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ends(Status.UNAUTHENTICATED, "unauthenticated"), Unauthenticated),
        (ends(Status.PERMISSION_DENIED), Unauthenticated),
        (ends(Status.UNIMPLEMENTED), NotFound),
        (ends(Status.INVALID_ARGUMENT, "invalid_request"), InvalidRequest),
        (ends(Status.INVALID_ARGUMENT), InvalidAnswer),
        (ends(Status.INTERNAL, "no_such_code"), InvalidAnswer),
        (ends(Status.RESOURCE_EXHAUSTED, "overloaded"), Overloaded),
        (ends(Status.DEADLINE_EXCEEDED, "timeout"), RequestTimeout),
        (AWAY, ServiceUnreachable),
        (lambda *_: b"\xff", ServiceUnreachable),
    ],
)
def test_lasting_refusals_are_raised(
    calls: FaultyCalls, expected: Expected, fault: CallFault, error: type[SemSimError]
) -> None:
    """The error says why; it is the one error, not a group of those of all requests."""
    calls.always = fault
    with GrpcClient(calls.url, patience=0.5) as client, pytest.raises(error):
        client.score_pairs(expected.pairs)


def of_each(**values: Any) -> CallFault:
    """The answer with other values in the numbers of every result."""

    def change(response: pb.ScoreResponse) -> None:
        for result in response.results:
            for name, value in values.items():
                result.scored.ClearField(name) if value is None else setattr(result.scored, name, value)

    return answers(change)


def without_outcomes(response: pb.ScoreResponse) -> None:
    """Leave the results without numbers and without an error, as a message that is empty reads."""
    for result in response.results:
        result.ClearField("outcome")
        result.verdict = pb.VERDICT_UNSPECIFIED


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        (answers(lambda response: response.results.pop()), "expected 3 results"),
        (answers(lambda response: response.results.add().CopyFrom(response.results[0])), "expected 3 results"),
        (answers(lambda response: response.results.reverse()), "ids"),
        (answers(lambda response: setattr(response.model, "sha256", 64 * "0")), "at the start"),
        (answers(lambda response: setattr(response.results[1], "verdict", pb.VERDICT_NOT_RECOGNIZABLE)), "verdict"),
        (answers(lambda response: setattr(response.results[1], "verdict", 77)), "verdict"),
        (answers(without_outcomes), "results"),
        (answers(lambda response: response.Clear()), "model"),
        (of_each(leakage=None, recognizable=None), "verdict"),
        (of_each(leakage=0.0), "calibration"),
        (of_each(distance=-1.0), "distance"),
        (of_each(distance=float("nan")), "distance"),
        (of_each(distance=0.5), "equal"),
    ],
)
def test_answers_to_something_else_are_refused(calls: FaultyCalls, fault: CallFault, match: str) -> None:
    """Nothing is made of an answer that lacks a pair, has another's, contradicts itself or is from another model."""
    images = [encode(picture(side, side, side)) for side in (40, 50, 60)]  # of different sizes: pairs with ids
    calls.always = fault
    with GrpcClient(calls.url) as client, pytest.raises(InvalidAnswer, match=match):
        client.score_pairs([(one, one) for one in images])


def test_a_service_without_verdicts_is_read(calls: FaultyCalls, expected: Expected) -> None:
    """One that is older than the field leaves it unspecified; its numbers say the same."""

    def without(response: pb.ScoreResponse) -> None:
        for result in response.results:
            result.ClearField("verdict")

    calls.always = answers(without)
    with GrpcClient(calls.url) as client:
        same(client.score_pairs(expected.pairs[:3]), expected.outcomes[:3])


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (ends(Status.INTERNAL, "internal"), ErrorCode.INTERNAL),
        (ends(Status.RESOURCE_EXHAUSTED, "body_too_large"), ErrorCode.BODY_TOO_LARGE),
        (ends(Status.RESOURCE_EXHAUSTED, details="SERVER: Received message larger than max"), ErrorCode.BODY_TOO_LARGE),
        (ends(Status.DEADLINE_EXCEEDED, "timeout"), None),
    ],
)
def test_a_refusal_of_too_much_ends_at_the_pair_that_it_is_of(
    calls: FaultyCalls, expected: Expected, refusal: CallFault, code: ErrorCode | None
) -> None:
    """The halves of a refused request are tried, down to a pair, which fails alone."""
    bad = expected.pairs[70][0].tobytes()

    def picky(content: bytes, ask: Ask, context: Any) -> bytes:
        is_large = len(content) > 40 * 32 * 32 * 3
        return refusal(content, ask, context) if (bad in content and code is not None) or is_large else ask()

    calls.always = picky
    with GrpcClient(calls.url) as client:
        outcomes = client.score_pairs(expected.pairs)
    wanted = list(expected.outcomes)
    if code is not None:
        failure = outcomes[70]
        assert isinstance(failure, PairFailure)
        assert failure.code is code
        wanted[70] = failure
    same(outcomes, wanted)


def test_nobody_at_the_address_is_told_within_seconds(service: LiveService) -> None:
    """So is a port that speaks HTTP alone."""
    for url in (f"http://127.0.0.1:{free_port()}", service.url):
        began = time.monotonic()
        with GrpcClient(url) as client, pytest.raises(ServiceUnreachable, match="expected an"):
            client.model()
        assert time.monotonic() - began < 10


def test_a_service_that_comes_back_is_heard_soon(service: LiveService, expected: Expected) -> None:
    """The connection is tried again about once a second, and not at gRPC's own growing pauses."""
    relay = Relay(service.grpc, cuts=[])
    with GrpcClient(relay.url) as client, ThreadPoolExecutor(1) as threads:
        client.model()
        relay.close()
        waiting = threads.submit(client.score_pairs, expected.pairs[:2])
        time.sleep(4)
        assert not waiting.done()
        back = Relay(service.grpc, cuts=[], port=int(relay.url.rpartition(":")[2]))
        began = time.monotonic()
        same(waiting.result(30), expected.outcomes[:2])
        assert time.monotonic() - began < 8
        back.close()


def test_an_interrupted_call_ends_its_requests(calls: FaultyCalls, expected: Expected) -> None:
    """Cancelled work sends nothing more, and the client can be used again."""

    async def cancelled() -> None:
        async with AsyncGrpcClient(calls.url) as client:
            await client.model()
            calls.always = AWAY
            work = asyncio.create_task(client.score_pairs(expected.pairs))
            await asyncio.sleep(0.3)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            await asyncio.sleep(0.3)  # the other side reads what was on its way when the work ended
            sent = len(calls.messages)
            await asyncio.sleep(0.5)
            assert len(calls.messages) == sent
            calls.always = None
            same(await client.score_pairs(expected.pairs[:2]), expected.outcomes[:2])

    asyncio.run(cancelled())


def test_closing_a_client_ends_the_calls_of_other_threads(calls: FaultyCalls, expected: Expected) -> None:
    """A thread that waits for scores is told, and does not wait for ever."""
    calls.always = late(2)
    with GrpcClient(calls.url) as client:
        client.model()
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(client.score_pairs, expected.pairs)
            while not calls.messages:
                time.sleep(0.01)
            began = time.monotonic()
            client.close()
            with pytest.raises(CancelledError):
                waiting.result(10)
            assert time.monotonic() - began < 1.5


def test_no_log_holds_an_image_or_the_token(
    calls: FaultyCalls, expected: Expected, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even the logs of the libraries below, at their most talkative; the token is sent with each call."""
    caplog.set_level(logging.DEBUG)
    token = "a-token-that-nobody-guesses"  # noqa: S105
    calls.faults.extend([AWAY, OVERLOADED, answer_lost])
    with GrpcClient(calls.url, token=token) as client:
        same(client.score_pairs(expected.pairs[:2]), expected.outcomes[:2])
    assert {message.metadata["authorization"] for message in calls.messages} == {f"Bearer {token}"}
    assert token not in caplog.text
    assert all(len(record.getMessage()) < 1000 for record in caplog.records)
