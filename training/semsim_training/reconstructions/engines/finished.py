"""A computed shard."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from semsim.memory import keep_freed_memory
from semsim.progress import Progress, silent
from semsim_training.reconstructions.shard import Shard


@dataclass(frozen=True, slots=True)
class Finished:
    """A shard's name, its Parquet bytes, and how long they took."""

    name: str
    data: bytes
    seconds: float
    """The time of one worker, in the last run where the shard was resumed."""

    @classmethod
    def by(cls, shard: Shard, partial: Path | None = None, progress: Progress = silent) -> Self:
        """Compute a shard; ``partial`` is where its search leaves its state."""
        keep_freed_memory()
        start = time.perf_counter()
        data = shard.run(partial, progress)
        return cls(shard.name, data, round(time.perf_counter() - start, 2))
