"""Where an HTTP answer ends, and what is in it."""

import json

import pytest

from benchmarks.serving.answers import Answer, distances, take_answer
from benchmarks.serving.cells import Format

_WHOLE = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 4\r\n\r\nbody"


def test_an_answer_is_taken_when_it_is_whole() -> None:
    """Not a byte earlier."""
    assert all(take_answer(_WHOLE[:end]) is None for end in range(len(_WHOLE)))
    assert take_answer(_WHOLE) == Answer(200, b"body")


@pytest.mark.parametrize("received", [_WHOLE + b"!", b"HTTP/1.1 200 OK\r\n\r\nbody"])
def test_answers_that_cannot_be_told_apart_are_refused(received: bytes) -> None:
    """One without a length, and bytes that nobody asked for."""
    with pytest.raises(ValueError, match="expected"):
        take_answer(received)


def test_distances_come_in_the_order_of_the_pairs() -> None:
    """From the JSON that all contenders answer."""
    body = json.dumps({"results": [{"distance": 0.5, "mse": 1}, {"distance": 0.25}]}).encode()
    assert distances(body, Format.JSON) == [0.5, 0.25]
