"""Shards one after another, in this process."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from semsim_training.reconstructions.engines.finished import Finished
from semsim_training.reconstructions.plan import Shard


def run_here(shards: Sequence[Shard], partials: Path, progress: Callable[[str, int, int], None]) -> Iterator[Finished]:
    """Compute shards in order."""
    for shard in shards:
        yield Finished.by(shard, partials / f"{shard.name}.safetensors", partial(progress, "this shard"))
