"""Right requests, small, to be made wrong, and ways to make bytes wrong."""

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from benchmarks.harness.messages import grpc_message, json_body, multipart_body
from benchmarks.harness.questions import FORMATS, Form, Mark, Question, Size, ask, draw, encode

_COPIES = 8
_SMALL = Size(pairs=2, side=8)
_MAGIC = (
    *(b"\0", b"\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x80" * 10),  # numbers
    *(b"\r\n", b"--", b'"', b"{", b"[", b"IDAT", b"\xff\xda"),  # marks of HTTP, JSON, PNG, JPEG
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Right requests that the inputs are made from."""

    documents: list[dict[str, Any]]
    forms: list[bytes]
    images: list[bytes]
    pair_messages: list[bytes]
    batch_messages: list[bytes]
    infer_messages: list[bytes]
    model: str


def make_corpus(seed: int, mark: Mark, model: str) -> Corpus:
    """The corpus of a run; ``model`` is the name of the model served."""

    def questions(form: Form) -> list[Question]:
        return [ask(seed * 1000 + copy, form, mark, _SMALL) for copy in range(_COPIES)]

    def messages(*forms: Form) -> list[bytes]:
        return [grpc_message(question, model) for form in forms for question in questions(form)]

    rng = np.random.default_rng([seed, 0xC0])
    return Corpus(
        documents=[json_body(question) for question in questions(Form.JSON)],
        forms=[multipart_body(question) for question in questions(Form.MULTIPART)],
        images=[encode(draw(rng, 12, 16), kind, mark) for kind in FORMATS for _ in range(_COPIES)],
        pair_messages=messages(Form.SCORE, Form.SCORE_RAW),
        batch_messages=messages(Form.BATCH),
        infer_messages=messages(Form.INFER),
        model=model,
    )


def mutate(rng: Random, data: bytes) -> bytes:
    """A few random edits: bytes changed, cut out, doubled, put in; sometimes the end is cut off."""
    edited = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(edited) + 1)
        span = min(len(edited) - at, rng.choice((1, 1, 2, 4, 16, 64)))
        match rng.randrange(5):
            case 0 if span:
                edited[at] ^= 1 << rng.randrange(8)
            case 1 if span:
                edited[at : at + span] = rng.randbytes(span)
            case 2:
                del edited[at : at + span]
            case 3:
                edited[at:at] = edited[at : at + span]
            case _:
                edited[at:at] = rng.choice(_MAGIC)
    if rng.random() < 0.2:
        del edited[rng.randrange(len(edited) + 1) :]
    return bytes(edited)
