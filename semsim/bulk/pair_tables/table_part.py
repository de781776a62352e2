"""A part of a table of pairs, scored block by block: the unit that is done as a whole or not at all."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from semsim.bulk.pair_tables.location import StoredFile
from semsim.bulk.pair_tables.parquet_pairs import ParquetSlice, UnreadableParquet
from semsim.bulk.pair_tables.read_pair import ReadPair
from semsim.bulk.pair_tables.table_row import TableRow, parquet_bytes
from semsim.bulk.pair_tables.webdataset_pairs import WebDatasetShard
from semsim.exceptions import ErrorCode
from semsim.images import DecodeLimits
from semsim.pairs import PairFailure
from semsim.scorer import PairScore, Scorer
from semsim.summary import Summary, merge_summaries, summarize

BLOCK_PAIRS = 16
"""Pairs that are decoded at once: 32 photographs of 12 megapixels take about a gigabyte."""
BLOCK_BYTES = 32 * 2**20
"""Bytes of encoded images past which a block has fewer pairs. The next block is read when this one is scored."""
_TRIED_AGAIN = (ErrorCode.INTERNAL, ErrorCode.UNREADABLE_FILE)
"""The errors that another attempt may not meet: faults of the scorer, and files that could not be reached."""


class PartRecord(BaseModel):
    """A scored part as the manifest of its run lists it."""

    model_config = ConfigDict(frozen=True)

    name: str
    """The file of the part's rows."""
    file: str
    """The file that holds its pairs."""
    sha256: str
    """The hash of the part's bytes."""
    size: int
    """Bytes."""
    summary: Summary
    errors: dict[ErrorCode, int]
    """The number of failed pairs by the code of their error."""
    above: int
    """The number of pairs above the run's limit of leakage; 0 without a limit."""
    skipped: int
    """Files of its pairs' keys that may be images and are in no pair."""

    @property
    def is_done(self) -> bool:
        """False where another attempt may score pairs that this one did not."""
        return not any(code in self.errors for code in _TRIED_AGAIN)


@dataclass(frozen=True, slots=True)
class ScoredPart:
    """The rows of a scored part as a Parquet file, and its record."""

    record: PartRecord
    data: bytes


@dataclass(frozen=True, slots=True)
class TablePart:
    """Some pairs of one file."""

    name: str
    """The file of the part's rows."""
    file: StoredFile
    pairs: ParquetSlice | UnreadableParquet | WebDatasetShard
    limits: DecodeLimits
    fail_above: float | None = None
    """The limit of leakage above which pairs are counted."""

    def __call__(self, scorer: Scorer) -> ScoredPart:
        """Read and score the pairs. Where one cannot be read or scored, it fails alone, in its own row."""
        scored: list[TableRow] = []
        summaries: list[Summary] = []
        above = skipped = 0
        for block in _blocks(self.pairs.pairs()):
            results = _score(scorer, block, self.limits)
            summaries.append(summarize(results))
            above += sum(_is_above(result, self.fail_above) for result in results)
            scored += [
                TableRow(self.file.path, pair.row, pair.id, result) for pair, result in zip(block, results, strict=True)
            ]
            skipped += sum(pair.others for pair in block)
        data = parquet_bytes(scored, scorer.manifest)
        failures = [pair.result for pair in scored if isinstance(pair.result, PairFailure)]
        record = PartRecord(
            name=self.name,
            file=self.file.path,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            summary=merge_summaries(summaries),
            errors=dict(Counter(failure.code for failure in failures)),
            above=above,
            skipped=skipped,
        )
        return ScoredPart(record, data)


def _blocks(pairs: Iterable[ReadPair]) -> Iterator[Sequence[ReadPair]]:
    block: list[ReadPair] = []
    size = 0
    for pair in pairs:
        block.append(pair)
        size += pair.size
        if len(block) == BLOCK_PAIRS or size >= BLOCK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _score(scorer: Scorer, block: Sequence[ReadPair], limits: DecodeLimits) -> list[PairScore | PairFailure]:
    read = [pair.images for pair in block if not isinstance(pair.images, PairFailure)]
    scores = iter(scorer.score_pairs(read, limits=limits))
    return [pair.images if isinstance(pair.images, PairFailure) else next(scores) for pair in block]


def _is_above(result: PairScore | PairFailure, limit: float | None) -> bool:
    if limit is None or isinstance(result, PairFailure) or result.leakage is None:
        return False
    return not result.leakage <= limit  # whatever is no number is above
