"""The parts of an answer that follow at once are sent together; none waits for longer than the event loop's turn."""

import asyncio

from semsim_service.http.answer_transport import AnswerTransport


class Sink(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep a piece."""
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        """True once it is closed."""
        return self.closed

    def close(self) -> None:
        """Close."""
        self.closed = True


def test_head_and_body_are_sent_together() -> None:
    """A head waits for its body, a lone part for the next turn, and what is held is sent before a close."""

    async def run() -> None:
        sink = Sink()
        answers = AnswerTransport(sink, sink.close)
        answers.write(b"head ")
        assert sink.written == []
        answers.write(b"body")
        assert sink.written == [b"head body"]
        answers.write(b"more")
        await asyncio.sleep(0)
        assert sink.written[1:] == [b"more"]
        answers.write(b"last")
        answers.close()
        assert (sink.written[2:], answers.is_closing()) == ([b"last"], True)
        answers.write(b"late")
        await asyncio.sleep(0)
        assert sink.written[3:] == []

    asyncio.run(run())
