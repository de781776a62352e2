"""Right questions between malformed inputs, which show that the service still gives right answers."""

import asyncio

from benchmarks.harness.clients import Attempt, End, client_of, request_of
from benchmarks.harness.pictures import Mark
from benchmarks.harness.questions import Form, Size, ask
from benchmarks.harness.rows import differences, expected_rows
from benchmarks.harness.server import Server
from semsim.scorer import Scorer

_SECONDS = 30.0
_SIZE = Size(pairs=2, side=32)


class Probe:
    """One question over HTTP and one over gRPC, with the answers that they must get."""

    def __init__(self, scorer: Scorer, mark: Mark) -> None:
        self._expected = list(expected_rows([ask(7, form, mark, _SIZE) for form in (Form.JSON, Form.BATCH)], scorer))

    async def fault(self, server: Server) -> str | None:
        """What is wrong with the answers; nothing when all is well."""
        for question, rows in self._expected:
            client, attempt = client_of(question.form, server), Attempt(question.seed, question.form)
            try:
                async with asyncio.timeout(_SECONDS):
                    await client.send(request_of(question, ""), attempt)
            except TimeoutError:
                return f"{question.form}: no answer within {_SECONDS:g} s"
            finally:
                await client.close()
            if attempt.end is not End.ANSWERED or attempt.wrong:
                return f"{question.form}: {attempt.end}, {attempt.code or attempt.wrong}"
            if wrong := differences(attempt.rows, rows, question.form):
                return f"{question.form}: {wrong[0]}"
        return None
