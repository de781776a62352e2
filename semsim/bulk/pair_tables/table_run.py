"""The scoring of a table of pairs: parts to workers, their rows to files, and the manifest after them."""

import time
from collections.abc import Iterator, Sequence

from semsim.bulk.engine import Engine
from semsim.bulk.pair_tables.location import Location
from semsim.bulk.pair_tables.pair_files import PairFiles
from semsim.bulk.pair_tables.read_pair import PairNames
from semsim.bulk.pair_tables.table_manifest import TableManifest, TableRunIdentity
from semsim.bulk.pair_tables.table_part import PartRecord, ScoredPart, TablePart
from semsim.bulk.workers.jobs import run_jobs
from semsim.exceptions import UnmatchedImages, UnreadableFile
from semsim.images import DecodeLimits
from semsim.images.limits import DEFAULT_LIMITS
from semsim.progress import Progress, silent
from semsim.scorer import Scorer

PART_PAIRS = 4096
"""Pairs of a part: under a minute of work, and about a megabyte of rows."""
_BETWEEN_MANIFESTS = 10.0
"""Seconds after which finished parts are in the manifest: it is written as a whole."""


def score_table(
    scorer: Scorer,
    table: Location,
    output: Location,
    names: PairNames = PairNames(),  # noqa: B008  # frozen
    *,
    part_pairs: int = PART_PAIRS,
    fail_above: float | None = None,
    limits: DecodeLimits = DEFAULT_LIMITS,
    engine: Engine = Engine.HERE,
    workers: int | None = None,
    progress: Progress = silent,
) -> TableManifest:
    """Score a table of pairs into partitioned Parquet, one row a pair, with a manifest.

    A run that was interrupted is called again with the same arguments. It scores the parts that are not done, those
    whose files changed, and those in which something could not be read or a fault was met. A part is written under its
    name when all its rows are there, over the one before, so that no pair has two rows.

    Args:
        scorer: the scorer of this process; workers open their own.
        table: Parquet files or WebDataset shards, one or a folder of them. Each worker reads for itself.
        output: the folder of the scored table. Only this process writes to it.
        names: the names of the images and of the pairs.
        part_pairs: the most pairs of a part; a shard is one part.
        fail_above: the limit of leakage that the caller will hold the table to; it is part of the run's identity.
        limits: the limits of one image.
        engine: the place where parts are scored.
        workers: processes or actors; None for all cores.
        progress: told of the parts that are done.

    Raises:
        UnmatchedImages: there is no Parquet file and no shard, or no pair in them.
        UnreadableFile: files came, went or changed meanwhile, or a footer that was read before cannot be read.
        InvalidOption: a column is missing, or the output holds another run or something else.
        WorkerLost: workers died.
        SemSimError: a worker cannot open the scorer, or the network gave no number.
    """
    files = PairFiles.at(table)
    run = TableRunIdentity.of(scorer, files, names, part_pairs, limits, fail_above)
    parts = files.parts(names, part_pairs, limits, fail_above)
    known = TableManifest.read(output)
    records: dict[str, PartRecord] = {}
    if known is not None:
        known.require_same(run, parts, output)
        records = {record.name: record for record in known.intact(output)}

    def manifest() -> TableManifest:
        return TableManifest(run=run, parts_in_all=len(parts), parts=tuple(records[name] for name in sorted(records)))

    output.create_folder()
    manifest().write(output)
    written = time.monotonic()
    todo = [part for part in parts if part.name not in records]
    progress("scoring", len(records), len(parts))
    try:
        for scored in _scored(engine, scorer, todo, workers):
            (output / scored.record.name).write(scored.data)
            records[scored.record.name] = scored.record
            if time.monotonic() - written > _BETWEEN_MANIFESTS:
                manifest().write(output)
                written = time.monotonic()
            progress("scoring", len(records), len(parts))
    finally:
        manifest().write(output)
    _require_seen(PairFiles.at(table), files, manifest().summary.pairs)
    return manifest()


def _require_seen(now: PairFiles, scored: PairFiles, pairs: int) -> None:
    """Refuse a run that saw no pair, or whose files changed meanwhile.

    Raises:
        UnmatchedImages: there is no pair.
        UnreadableFile: a file came, went or changed.
    """
    changed = sorted({one.path for one in {*now.files, *now.skipped} ^ {*scored.files, *scored.skipped}})
    if changed:
        raise UnreadableFile(
            f"expected files that nobody writes to while they are scored, got {len(changed)} that came, went or "
            f"changed, such as {changed[0]}: score the table into another place"
        )
    if not pairs:
        raise UnmatchedImages(f"expected pairs at {now.where.name}, got {len(now.files)} files without any")


def _scored(engine: Engine, scorer: Scorer, parts: Sequence[TablePart], workers: int | None) -> Iterator[ScoredPart]:
    for _, scored in run_jobs(engine, scorer, parts, workers):
        yield scored
