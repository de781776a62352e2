"""Shards one after another, in this process."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from semsim.progress import Progress
from semsim_training.reconstructions.engines.finished import Finished
from semsim_training.reconstructions.shard import Shard


def run_here(shards: Sequence[Shard], partials: Path, progress: Progress) -> Iterator[Finished]:
    """Compute shards in order."""
    for shard in shards:
        yield Finished.by(shard, partials / f"{shard.name}.safetensors", progress)
