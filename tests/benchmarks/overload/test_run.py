"""Only right answers are goodput."""

import asyncio

from benchmarks.harness.clients import Attempt, End
from benchmarks.harness.questions import Form, Mark, Size, ask
from benchmarks.harness.rows import Row
from benchmarks.overload.result import Record
from benchmarks.overload.run import Prepared, attempted

MARK = Mark.of(1)


def test_wrong_answers_are_no_goodput() -> None:
    """An answer with another's rows counts as wrong, not as answered; the clients go on."""
    question = ask(1, Form.JSON, MARK, Size(pairs=1, side=32))
    distances = iter([1.0, 2.0])

    async def reply(_: bytes, attempt: Attempt) -> None:
        if distance := next(distances, None):
            attempt.end, attempt.rows = End.ANSWERED, [Row("q1.0", distance=distance)]

    async def ask_thrice() -> Record:
        record = Record()
        for _ in range(3):
            await attempted(record, reply, Prepared(question, b"", [Row("q1.0", distance=1.0)]))
        return record

    record = asyncio.run(ask_thrice())
    assert (len(record.answered), len(record.wrong), len(record.failed)) == (1, 1, 1)
