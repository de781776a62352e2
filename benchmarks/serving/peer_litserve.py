"""The second peer: LitServe and its own batching.

    python -m benchmarks.serving.peer_litserve --port PORT

It takes JSON and forms, no other bodies: raw pixels come as a file of a form.
"""

import base64
import sys
from dataclasses import asdict
from typing import Any

import litserve  # type: ignore[import-untyped]
import numpy as np
from fastapi import Request

from benchmarks.serving.cells import ONE_THREAD, model_of_run
from semsim import PairScore, Scorer
from semsim.images import RGBImage, decode
from semsim.memory import keep_freed_memory

MAX_REQUESTS = 8
WAIT_SECONDS = 0.002

_Pairs = list[tuple[RGBImage, RGBImage]]


class ScorerAPI(litserve.LitAPI):  # type: ignore[misc]  # it has no types
    """The library behind LitServe's hooks: one worker, which decodes, scores and encodes."""

    def setup(self, device: object) -> None:
        """Load the model, in the worker's process."""
        keep_freed_memory()
        self.scorer = Scorer(model_of_run(), providers=ONE_THREAD)

    def decode_request(self, request: Request) -> _Pairs:
        """Pairs of JSON with PNG in base64, or of a form with pixels.

        LitServe wants the annotation, and gives the content of the body: a mapping, too.
        """
        if "pairs" in request:
            return [
                (decode(base64.b64decode(pair["original"])), decode(base64.b64decode(pair["reconstruction"])))
                for pair in request["pairs"]
            ]
        count, height, width = map(int, request["shape"].split(","))
        pixels = request["images"].file.read()
        images = np.frombuffer(pixels, dtype=np.uint8).reshape(2, count, height, width, 3)
        return list(zip(*images, strict=True))

    def batch(self, inputs: list[_Pairs]) -> list[_Pairs]:
        """Keep requests apart, since their sizes differ."""
        return inputs

    def predict(self, x: list[_Pairs]) -> list[list[PairScore]]:
        """Score all requests in one call."""
        scores = iter(self.scorer.score_images(*zip(*(pair for pairs in x for pair in pairs), strict=True)))
        return [[next(scores) for _ in pairs] for pairs in x]

    def unbatch(self, output: list[list[PairScore]]) -> list[list[PairScore]]:
        """Give each request its answer."""
        return output

    def encode_response(self, output: list[PairScore]) -> dict[str, Any]:
        """Give the answer as JSON takes it."""
        return {"results": [asdict(score) for score in output]}


if __name__ == "__main__":
    server = litserve.LitServer(
        ScorerAPI(api_path="/score", max_batch_size=MAX_REQUESTS, batch_timeout=WAIT_SECONDS),
        accelerator="cpu",
        track_requests=False,
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[-1]),
        generate_client_file=False,
        log_level="warning",
        access_log=False,
        loop="uvloop",
        http="httptools",
    )
