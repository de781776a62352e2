"""The first peer: FastAPI with a plain batcher, as one would write it around the library.

    python -m benchmarks.serving.peer_fastapi --port PORT

Handlers decode, a task gathers pairs for up to 2 ms or a full batch of 16 images, and one thread scores.
"""

import asyncio
import base64
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel

from benchmarks.serving.cells import ONE_THREAD, model_of_run
from semsim import PairScore, Scorer
from semsim.images import RGBImage, decode
from semsim.memory import keep_freed_memory

BATCH_PAIRS = 8
WAIT_SECONDS = 0.002

_Item = tuple[RGBImage, RGBImage, "asyncio.Future[PairScore]"]


class Pair(BaseModel):
    """Two PNG files in base64."""

    original: str
    reconstruction: str


class PairsRequest(BaseModel):
    """A request."""

    pairs: list[Pair]


class Batcher:
    """Pairs of all requests, scored together."""

    def __init__(self) -> None:
        self._scorer = Scorer(model_of_run(), providers=ONE_THREAD)
        self._queue: asyncio.Queue[_Item] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1)
        self._worker: asyncio.Task[None] | None = None

    async def score(self, pairs: list[tuple[RGBImage, RGBImage]]) -> dict[str, Any]:
        """The answer to one request."""
        self._worker = self._worker or asyncio.create_task(self._work())
        futures = []
        for x, y in pairs:
            futures.append(asyncio.get_running_loop().create_future())
            self._queue.put_nowait((x, y, futures[-1]))
        scores = await asyncio.gather(*futures)
        return {"results": [asdict(score) for score in scores]}

    async def _work(self) -> None:
        """Gather and score batches, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            items = [await self._queue.get()]
            deadline = loop.time() + WAIT_SECONDS
            while len(items) < BATCH_PAIRS:
                if not self._queue.empty():
                    items.append(self._queue.get_nowait())
                    continue
                try:
                    async with asyncio.timeout_at(deadline):
                        items.append(await self._queue.get())
                except TimeoutError:
                    break
            originals, reconstructions, futures = zip(*items, strict=True)
            scores = await loop.run_in_executor(self._thread, self._scorer.score_images, originals, reconstructions)
            for future, score in zip(futures, scores, strict=True):
                future.set_result(score)


batcher = Batcher()
app = FastAPI()


def _decode(pairs: list[Pair]) -> list[tuple[RGBImage, RGBImage]]:
    return [(decode(base64.b64decode(p.original)), decode(base64.b64decode(p.reconstruction))) for p in pairs]


@app.post("/score")
async def score_json(request: PairsRequest) -> dict[str, Any]:
    """PNG in base64."""
    return await batcher.score(await asyncio.to_thread(_decode, request.pairs))


@app.post("/raw")
async def score_raw(request: Request) -> dict[str, Any]:
    """Pixels, N originals and then N reconstructions, as the service takes them."""
    count, height, width = map(int, request.headers["x-semsim-shape"].split(","))
    images = np.frombuffer(await request.body(), dtype=np.uint8).reshape(2, count, height, width, 3)
    return await batcher.score(list(zip(*images, strict=True)))


if __name__ == "__main__":
    keep_freed_memory()
    uvicorn.run(app, port=int(sys.argv[-1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
