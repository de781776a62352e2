"""The queue is bounded in pairs and in bytes."""

import threading
import time

import pytest

from semsim.exceptions import ErrorCode, Overloaded, RequestTimeout
from semsim_service.core.admission import Admission
from semsim_service.core.call import Call, Transport
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.settings import QueueLimits


def call_of(admission: Admission) -> Call:
    """A request that has just begun."""
    return Call(Transport.HTTP, "r", 0.0, admission)


@pytest.fixture
def admission(metrics: ServiceMetrics) -> Admission:
    """A queue with room for ten pairs and a thousand bytes."""
    return Admission(QueueLimits(pairs=10, bytes=1000), metrics)


def test_what_fits_is_admitted_and_what_does_not_is_told_when_to_come_again(admission: Admission) -> None:
    """Past the bound a request is refused, with the seconds to wait. Released room is given again."""
    first, second = call_of(admission), call_of(admission)
    first.reserve_pairs(8)
    with pytest.raises(Overloaded) as refused:
        second.reserve_pairs(3)
    assert refused.value.code is ErrorCode.OVERLOADED
    assert refused.value.retry_after >= 1
    assert "expected room in a queue of 10 pairs, got 8 waiting" in str(refused.value)
    second.reserve_pairs(2)
    first.release()
    call_of(admission).reserve_pairs(8)


def test_those_sent_away_come_again_one_after_another(admission: Admission, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused request is told to wait for those refused before it, too. Once these are due they no longer count."""
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(50):  # five pairs a second
        now += 1
        answered = call_of(admission)
        answered.reserve_pairs(5)
        answered.release()
    call_of(admission).reserve_pairs(10)

    def waits(count: int) -> list[int]:
        seconds = []
        for _ in range(count):
            with pytest.raises(Overloaded) as refused:
                call_of(admission).reserve_pairs(10)
            seconds.append(refused.value.retry_after)
        return seconds

    first = waits(6)
    assert first == sorted(first)
    assert first[0] <= 3 < first[5] <= 15
    assert max(waits(100)) == 30
    now += 40
    assert waits(1)[0] == 30  # nothing was answered meanwhile: the rate is about zero


def test_bytes_are_bounded_apart(admission: Admission) -> None:
    """Bodies count, however few pairs they hold."""
    call_of(admission).reserve_bytes(900)
    with pytest.raises(Overloaded, match="a queue of 1000 bytes, got 900 waiting"):
        call_of(admission).reserve_bytes(101)
    call_of(admission).reserve_bytes(100)


def test_a_full_queue_refuses_before_a_body_is_read(admission: Admission) -> None:
    """With no room for a single pair, a body's bytes are refused, too."""
    call_of(admission).reserve_pairs(10)
    with pytest.raises(Overloaded, match="10 pairs"):
        call_of(admission).reserve_bytes(1)


def test_a_request_that_is_over_reserves_nothing(admission: Admission) -> None:
    """A decoding thread that comes after its request's timeout cannot leak room."""
    late = call_of(admission)
    late.release()
    with pytest.raises(RequestTimeout):
        late.reserve_pairs(1)
    call_of(admission).reserve_pairs(10)


def test_threads_never_admit_more_than_the_bound(admission: Admission) -> None:
    """Whatever many threads take at once never passes the bound, and all of it comes back."""
    held, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal held, most
        for _ in range(300):
            call = call_of(admission)
            try:
                call.reserve_pairs(3)
            except Overloaded:
                continue
            with lock:
                held += 3
                most = max(most, held)
            with lock:
                held -= 3
            call.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 10
    call_of(admission).reserve_pairs(10)
