"""The end of an HTTP answer is found to the byte."""

import pytest

from benchmarks.harness.http_wire import HTTPAnswer, NotHTTP, take_answer

_WHOLE = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 4\r\n\r\nbody"
_ANSWER = HTTPAnswer(200, {"server": "x", "content-length": "4"}, b"body")


def test_an_answer_is_taken_when_it_is_whole() -> None:
    """An answer is taken at its last byte, not earlier, and what follows it is left."""
    assert all(take_answer(_WHOLE[:end]) is None for end in range(len(_WHOLE)))
    assert take_answer(_WHOLE) == (_ANSWER, b"")
    assert take_answer(b"HTTP/1.1 100 Continue\r\n\r\n" + _WHOLE + b"!") == (_ANSWER, b"!")


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    """An answer without a length has the bytes up to the end; an answer to a HEAD has no body, whatever its length."""
    endless = b"HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\nbody"
    assert take_answer(endless) is None
    assert take_answer(endless, ended=True) == (HTTPAnswer(400, {"connection": "close"}, b"body"), b"")
    assert take_answer(_WHOLE, head_only=True) == (HTTPAnswer(200, _ANSWER.headers, b""), b"body")


@pytest.mark.parametrize(
    "received",
    [b"SSH-2.0\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nbody", _WHOLE.replace(b" 4", b" x")],
)
def test_other_bytes_are_no_answer(received: bytes) -> None:
    """Another protocol, a missing status, a missing length on an open connection and a wrong length are refused."""
    with pytest.raises(NotHTTP):
        take_answer(received)
