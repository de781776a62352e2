"""The program that scores little requests in groups, in a process beside the worker that has the callers.

The array operations on pairs hold the interpreter, and so do the transports: in two processes they have one each. The
standard input is a socket to the worker. Nothing is decoded here: what comes are pixels.
"""

import gc
import os
import pickle
import socket
import threading
from collections.abc import Sequence

from semsim.memory import keep_freed_memory
from semsim.scorer import Scorer
from semsim_service.core.batcher import Batcher
from semsim_service.core.exact_read import read_exactly
from semsim_service.core.group_scoring import GroupScoring
from semsim_service.core.image_digests import different_digest, keyed_digest
from semsim_service.core.little_request import LittleRequest
from semsim_service.core.run_counts import NotedRuns
from semsim_service.core.scoring_messages import LENGTH, Answer, Model, Question, Scored, message


def serve(connection: socket.socket) -> None:
    """Score requests until the other side closes the connection."""
    if not (first := _received(connection)):
        return
    model: Model = pickle.loads(first)  # noqa: S301  # the worker wrote it
    del first
    keep_freed_memory(largest=2**23, most=2**26)
    scorer = Scorer(model.artifact, providers=model.providers, batch_size=model.batch_size, controls=False)
    scorer.controls = model.controls
    scorer.warm_up()
    runs, sending = NotedRuns(), threading.Lock()

    def tell(requests: Sequence[LittleRequest], error: Exception | None) -> None:
        scored = [
            Scored(
                number=request.number,
                scores=None if error is not None else request.scores,
                began=request.began,
                prepare_seconds=request.prepare_seconds,
                inference_seconds=request.inference_seconds,
            )
            for request in requests
        ]
        try:
            with sending:
                connection.sendall(message(Answer(scored, runs.taken())))
        except BaseException:  # noqa: BLE001
            os._exit(1)  # the worker has gone, or learns so that it must score these requests itself

    dimension = scorer.manifest.embedding.dimension
    batcher = Batcher(scorer.embed_prepared, dimension, model.batch_size, runs, model.cache_bytes)
    # Only the cache looks for an image that came before. Within a group each is embedded once anyway.
    digest = keyed_digest() if model.cache_bytes else different_digest()
    groups = GroupScoring(scorer, digest, batcher, model.batch_size, owns_process=True, tell=tell)
    gc.collect()
    gc.freeze()  # no later collection looks at what is there now
    while data := _received(connection):
        questions: Sequence[Question] = pickle.loads(data)  # noqa: S301
        groups.take(
            [
                LittleRequest(originals, reconstructions, controls, histogram, number=number)
                for number, originals, reconstructions, controls, histogram in questions
            ]
        )
    os._exit(0)  # nobody waits for the work that goes on


def _received(connection: socket.socket) -> bytes:
    """The content of one message; nothing where the connection is closed."""
    header = read_exactly(connection, LENGTH.size)
    return read_exactly(connection, LENGTH.unpack(header)[0]) if header else b""


if __name__ == "__main__":
    serve(socket.socket(fileno=0))
