"""Whatever happens between the client and the service: no pair is lost, none comes twice, and none is made up."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import pytest

from semsim import PairFailure, SemSimError
from semsim.client import AsyncClient, Client
from semsim.exceptions import (
    ErrorCode,
    InvalidAnswer,
    NotFound,
    Overloaded,
    RequestTimeout,
    ServiceUnreachable,
    Unauthenticated,
)
from tests.encoded import encode, picture
from tests.semsim.client.conftest import Expected, same
from tests.semsim.client.faulty import Fault, FaultyProxy, altered, dropped, lost, refused, slow, truncated
from tests.service.live import free_port

PASSING: dict[str, list[Fault | None]] = {
    "dropped": [dropped, None, dropped, dropped],
    "answers lost": [lost, lost],
    "truncated": [truncated, None, truncated],
    "slow": [slow(0.4), None, slow(0.2)],
    "overloaded": [refused(429, "overloaded", retry_after="0"), None, refused(429, "overloaded")],
    "not ready": [refused(503, "not_ready"), refused(503), refused(502)],
    "all of them": [dropped, truncated, refused(429, retry_after="0"), lost, refused(503), slow(0.2), dropped],
}


@pytest.mark.parametrize("name", PASSING)
def test_passing_faults_lose_no_pair(proxy: FaultyProxy, expected: Expected, name: str) -> None:
    """The outcomes are those without a fault, in their order."""
    proxy.faults.extend(PASSING[name])
    with Client(proxy.url) as client:
        same(client.score_pairs(expected.pairs), expected.outcomes)
    assert not proxy.faults


def test_the_client_waits_as_long_as_it_is_asked(proxy: FaultyProxy, expected: Expected) -> None:
    """``Retry-After: 1`` is one second; a wait beyond the patience is told at once."""
    proxy.faults.append(refused(429, "overloaded", retry_after="1"))
    with Client(proxy.url, patience=20) as client:
        same(client.score_pairs(expected.pairs[:2]), expected.outcomes[:2])
        first, second = proxy.requests
        assert second.at - first.at >= 1
        proxy.faults.append(refused(429, "overloaded", retry_after="3600"))
        began = time.monotonic()
        with pytest.raises(Overloaded) as raised:
            client.score_pairs(expected.pairs[:2])
        assert time.monotonic() - began < 2
        assert raised.value.retry_after == 3600
        assert raised.value.__context__ is None  # no frame with images hangs on the error


def test_a_request_that_has_no_answer_in_time_is_sent_again(proxy: FaultyProxy, expected: Expected) -> None:
    """An attempt ends at its timeout, and the call at its deadline."""
    proxy.faults.append(slow(3))
    with Client(proxy.url, timeout=1) as client:
        same(client.score_pairs(expected.pairs[:2]), expected.outcomes[:2])
        proxy.always = slow(2)
        began = time.monotonic()
        with pytest.raises(RequestTimeout, match=r"within 0\.5 s"):
            client.score_pairs(expected.pairs, deadline=0.5)
        assert time.monotonic() - began < 1.9


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (refused(401, "unauthenticated"), Unauthenticated),
        (refused(403), Unauthenticated),
        (refused(404), NotFound),
        (refused(302, location="/elsewhere"), InvalidAnswer),
        (refused(418), InvalidAnswer),
        (refused(200), InvalidAnswer),
        (refused(429), Overloaded),
        (refused(504, "timeout"), RequestTimeout),
        (dropped, ServiceUnreachable),
    ],
)
def test_lasting_refusals_are_raised(
    proxy: FaultyProxy, expected: Expected, fault: Fault, error: type[SemSimError]
) -> None:
    """The error says why; it is the one error, not a group of those of all requests."""
    proxy.always = fault
    with Client(proxy.url, patience=0.5) as client, pytest.raises(error):
        client.score_pairs(expected.pairs)


def with_values(**values: Any) -> Callable[[Any], Any]:
    """The answer with other values in every result."""
    return lambda answer: answer | {"results": [one | values for one in answer["results"]]}


def with_results(change: Callable[[list[Any]], list[Any]]) -> Callable[[Any], Any]:
    """The answer with other results."""
    return lambda answer: answer | {"results": change(answer["results"])}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (with_results(lambda results: results[:-1]), "expected 3 results"),
        (with_results(lambda results: [*results, results[-1]]), "expected 3 results"),
        (with_values(id="7"), "ids"),
        (with_results(lambda results: results[::-1]), "ids"),
        (lambda answer: answer | {"model": answer["model"] | {"sha256": 64 * "0"}}, "at the start"),
        (with_values(leakage=0.0, recognizable=False), "calibration"),
        (with_values(leakage=None, recognizable=None), "calibration"),
        (with_values(recognizable=None), "calibration"),
        (with_values(chance=0.0), "chance"),
        (with_values(leakage_low=0.1), "the range of leakage"),
        (with_values(leakage_low=None, leakage_high=None), "the range of leakage"),
        (with_values(leakage_low=0.99, leakage_high=1.0), "the range of leakage"),
        (with_values(chance=0.5), "identified where it is below"),
        (with_values(identified=False), "identified where it is below"),
        (with_values(chance=None), "identified where it is below"),
        (
            with_values(uninformative="original", leakage=None, recognizable=None, leakage_low=None, leakage_high=None),
            "chance",
        ),
        (with_values(distance=-1), "distance"),
        (with_values(distance=1e308, leakage=0.0, recognizable=False), "distance"),
        (with_values(distance=0.5), "equal"),
        (with_values(error={"code": "internal", "message": "no"}), "error"),
        (with_values(distance="0.5"), "distance"),
        (with_values(mse=None), "mse"),
        (lambda answer: answer["results"], "mapping"),
    ],
)
def test_answers_to_something_else_are_refused(proxy: FaultyProxy, change: Any, match: str) -> None:
    """Nothing is made of an answer that lacks a pair, has another's, or comes from another model."""
    images = [encode(picture(side, side, side)) for side in (40, 50, 60)]  # of different sizes: files with ids
    proxy.always = altered(change)
    with Client(proxy.url) as client, pytest.raises(InvalidAnswer, match=match):
        client.score_pairs([(one, one) for one in images])


@pytest.mark.parametrize("status", [413, 500, 504])
def test_a_refusal_of_too_much_ends_at_the_pair_that_it_is_of(
    proxy: FaultyProxy, expected: Expected, status: int
) -> None:
    """The halves of a refused request are tried, down to a pair, which fails alone."""

    def picky(request: Any, forward: Any) -> Any:
        bad = expected.pairs[70][0].tobytes() in request.body and status != 504
        is_large = len(request.body) > 40 * 32 * 32 * 3
        return refused(status)(request, forward) if bad or is_large else forward()

    proxy.always = picky
    with Client(proxy.url) as client:
        outcomes = client.score_pairs(expected.pairs)
    failed = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, PairFailure)]
    assert failed == ([] if status == 504 else [70])
    wanted = list(expected.outcomes)
    for index in failed:
        assert outcomes[index].code is (ErrorCode.BODY_TOO_LARGE if status == 413 else ErrorCode.INTERNAL)
        wanted[index] = outcomes[index]
    same(outcomes, wanted)


def test_nobody_at_the_address_is_told_within_seconds() -> None:
    """The first contact is not tried for as long as the patience lasts: the address may be wrong."""
    began = time.monotonic()
    with Client(f"http://127.0.0.1:{free_port()}") as client, pytest.raises(ServiceUnreachable, match="expected an"):
        client.model()
    assert time.monotonic() - began < 10


def test_an_interrupted_call_ends_its_requests(proxy: FaultyProxy, expected: Expected) -> None:
    """Cancelled work sends nothing more, and the client can be used again."""

    async def cancelled() -> None:
        async with AsyncClient(proxy.url) as client:
            await client.model()
            proxy.always = refused(503)
            work = asyncio.create_task(client.score_pairs(expected.pairs))
            await asyncio.sleep(0.3)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            await asyncio.sleep(0.3)  # the other side reads what was on its way when the work ended
            sent = len(proxy.requests)
            await asyncio.sleep(0.5)
            assert len(proxy.requests) == sent
            proxy.always = None
            same(await client.score_pairs(expected.pairs[:2]), expected.outcomes[:2])

    asyncio.run(cancelled())


def test_closing_a_client_ends_the_calls_of_other_threads(proxy: FaultyProxy, expected: Expected) -> None:
    """A thread that waits for scores is told, and does not wait for ever."""
    proxy.always = refused(503)
    with Client(proxy.url) as client:
        client.model()
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(client.score_pairs, expected.pairs)
            while not proxy.requests:
                time.sleep(0.01)
            client.close()
            with pytest.raises(CancelledError):
                waiting.result(10)


def test_no_log_holds_an_image_or_the_token(
    proxy: FaultyProxy, expected: Expected, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even the logs of the libraries below, at their most talkative."""
    caplog.set_level(logging.DEBUG)
    token = "a-token-that-nobody-guesses"  # noqa: S105
    proxy.faults.extend([dropped, refused(503), truncated])
    with Client(proxy.url, token=token) as client:
        same(client.score_pairs(expected.pairs[:2]), expected.outcomes[:2])
    assert "POST" in caplog.text
    assert token not in caplog.text
    assert max(len(record.getMessage()) for record in caplog.records) < 1000
