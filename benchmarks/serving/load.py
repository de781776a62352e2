"""The load generator, a process of its own: a closed loop of clients over pre-built requests.

    python -m benchmarks.serving.load FOLDER

answers a job (the arguments of :meth:`Generator.measure`) with a run's figures; FOLDER holds the pairs. It shares the
machine with the server, so that it does as little as can be, and tells what it took.
"""

import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from benchmarks.serving import grpc_load, http_load
from benchmarks.serving.answers import distances
from benchmarks.serving.bodies import requests
from benchmarks.serving.cells import Format
from benchmarks.serving.figures import Run, percentile
from benchmarks.serving.pairs import Pairs, file_of
from benchmarks.serving.processes import answer_jobs, cpu_seconds, resident_bytes, tree
from benchmarks.serving.script import Script

# Batches of other sizes round otherwise.
_TOLERANCE = 1e-4


@dataclass(slots=True)
class Generator:
    """Keeps the requests of a folder's pairs, once they are made."""

    folder: Path
    _requests: dict[tuple[int, int, str, str], list[bytes]] = field(default_factory=dict)
    _pairs: dict[int, Pairs] = field(default_factory=dict)

    def measure(
        self,
        *,
        form: str,
        path: str,
        port: int,
        pid: int,
        side: int,
        pairs: int,
        clients: int,
        warm_up: float,
        seconds: float,
    ) -> dict[str, Any]:
        """Load the server at ``port`` whose first process is ``pid``, and check a sample of its answers."""
        script = Script(self._ready(side, pairs, Format(form), path), clients, warm_up, seconds)
        server = tree(pid)
        spent: list[float] = []
        own: list[float] = []

        def look() -> None:
            spent.append(cpu_seconds(server))
            own.append(time.process_time())

        script.at_edges = look
        run = grpc_load.run if form == Format.GRPC else http_load.run
        uvloop.run(run(script, port))
        self._check(script, side, pairs, Format(form))
        count = len(script.latencies) * pairs
        return asdict(
            Run(
                pairs_per_second=count / script.measured,
                p50=percentile(script.latencies, 0.5),
                p99=percentile(script.latencies, 0.99),
                cpu_per_pair=(spent[1] - spent[0]) / max(1, count),
                memory=resident_bytes(server),
                load_cores=(own[1] - own[0]) / script.measured,
            )
        )

    def _ready(self, side: int, size: int, form: Format, path: str) -> list[bytes]:
        key = (side, size, form.value, path)
        if key not in self._requests:
            self._pairs.setdefault(side, Pairs.load(file_of(self.folder, side)))
            self._requests[key] = requests(self._pairs[side], size, form, path)
        return self._requests[key]

    def _check(self, script: Script, side: int, size: int, form: Format) -> None:
        """A server that answers wrong must not win.

        Raises:
            RuntimeError: an answer's distances are not the library's.
        """
        known = self._pairs[side].distances
        for index, body in script.sample:
            expected = known[index * size : (index + 1) * size]
            got = distances(body, form)
            if len(got) != size or not np.allclose(got, expected, rtol=0, atol=_TOLERANCE):
                raise RuntimeError(f"expected distances {expected}, got {got}")


if __name__ == "__main__":
    answer_jobs(Generator(Path(sys.argv[1])).measure)
