"""An answer is told from every other question's, and each of its numbers counts."""

from dataclasses import replace
from itertools import pairwise
from math import nan
from typing import Any

import numpy as np
import pytest

from benchmarks.harness.messages import message_rows, request_of
from benchmarks.harness.questions import Form, Mark, Size, ask
from benchmarks.harness.rows import Unreadable, confusable, differences, expected_rows
from semsim import Scorer
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim_service.core.answer import answer
from semsim_service.grpc_transport.open_inference.outputs import OUTPUTS
from semsim_service.grpc_transport.open_inference.outputs import infer_message as infer_answer
from semsim_service.grpc_transport.semsim_v1.score_response import score_message

MARK = Mark.of(1)


def test_a_seed_gives_the_same_request_and_no_other_does() -> None:
    """Questions can be made again after the run; another seed's are other bytes."""
    requests = [request_of(ask(seed, Form.MULTIPART, MARK)) for seed in (1, 1, 2)]
    assert requests[0] == requests[1] != requests[2]


def test_crossed_answers_are_told_apart(small_scorer: Scorer) -> None:
    """The answer of one question, even under the other's ids, is not taken for the other's."""
    questions = [ask(seed, Form.JSON, MARK) for seed in range(1, 40)]
    rows = [row for _, expected in expected_rows(questions, small_scorer) for row in expected if row.code is None]
    assert confusable(rows) == 0
    for one, other in pairwise(rows):
        assert differences([one], [one], Form.JSON) == []
        assert differences([replace(one, id=other.id)], [other], Form.JSON)


@pytest.mark.parametrize("name", ["distance", "leakage", "recognizable", "mse", "psnr", "ssim"])
def test_no_number_may_be_missing_or_another(bundled: Scorer, name: str) -> None:
    """NaN, nothing, and another value are each told from the right one, of every number of a pair."""
    ((_, rows),) = expected_rows([ask(1, Form.JSON, MARK, Size(pairs=1, side=32))], bundled)
    right = getattr(rows[0], name)
    wrong: list[Any] = [None, not right] if name == "recognizable" else [None, nan, right + 0.01 * max(1.0, abs(right))]
    assert not rows[0].undecided
    for value in wrong:
        assert differences([replace(rows[0], **{name: value})], rows, Form.JSON), value


def test_a_pair_at_the_threshold_may_be_called_either(bundled: Scorer) -> None:
    """Only a leakage so near the threshold that its tolerance crosses it may be called recognizable or not."""
    ((_, rows),) = expected_rows([ask(1, Form.JSON, MARK, Size(pairs=1, side=32))], bundled)
    other = replace(rows[0], recognizable=not rows[0].recognizable)
    assert differences([other], rows, Form.JSON)
    assert not differences([other], [replace(rows[0], undecided=True)], Form.JSON)
    assert 0 < rows[0].leakage_tolerance < 1e-4


def test_the_rows_of_every_grpc_form_hold_all_that_is_compared(bundled: Scorer) -> None:
    """Made by the service's own code from the scorer's results, they are the expected ones."""
    question, expected = next(expected_rows([ask(3, Form.INFER, MARK, Size(pairs=2, side=32))], bundled))
    made = answer(bundled.manifest, question.ids, bundled.score_pairs(question.pairs))
    infer = infer_answer(made, list(OUTPUTS), "").SerializeToString()
    assert not differences(message_rows(Form.INFER, infer), expected, Form.INFER)
    assert not differences(message_rows(Form.BATCH, score_message(made).SerializeToString()), expected, Form.BATCH)
    with pytest.raises(Unreadable):
        message_rows(Form.INFER, infer[:-1])


def test_an_answer_that_calls_an_unjudged_pair_harmless_is_a_fault(bundled: Scorer) -> None:
    """A 0 for a pair that failed or shows nothing contradicts its status, and so does another verdict."""
    plain = np.full((32, 32, 3), 90, dtype=np.uint8)
    made = answer(bundled.manifest, (None, None), bundled.score_pairs([(plain, plain), (plain, b"")]))
    infer = infer_answer(made, list(OUTPUTS), "")
    rows = message_rows(Form.INFER, infer.SerializeToString())
    assert [(row.uninformative, row.recognizable, row.code) for row in rows] == [
        (True, None, None),
        (False, None, "empty_image"),
    ]
    for tampered in (b"\0\xff", b"\xff\0"):
        infer.raw_output_contents[list(OUTPUTS).index("recognizable")] = tampered
        with pytest.raises(Unreadable, match="contradict"):
            message_rows(Form.INFER, infer.SerializeToString())
    scored = score_message(made)
    assert len(message_rows(Form.BATCH, scored.SerializeToString())) == 2
    for result in scored.results:
        result.verdict = pb.VERDICT_NOT_RECOGNIZABLE
        with pytest.raises(Unreadable, match="verdict"):
            message_rows(Form.BATCH, scored.SerializeToString())
        result.verdict = pb.VERDICT_FAILED if result.HasField("error") else pb.VERDICT_UNINFORMATIVE
