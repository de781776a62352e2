"""The table of judgements: a directory of Parquet files. Each addition is a file, and no file is ever changed."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from semsim.exceptions import InvalidAnnotations
from semsim_training.annotation.items import Shown

SCHEMA = pa.schema(
    [
        pa.field("dataset", pa.string(), nullable=False, metadata={"about": "name of the reconstruction set"}),
        pa.field("item", pa.string(), nullable=False, metadata={"about": "opaque name of what was shown"}),
        pa.field("shown", pa.string(), nullable=False, metadata={"about": "reconstruction, clean or noise"}),
        pa.field("repeat", pa.int32(), nullable=False, metadata={"about": "0, or 1 the second time it was shown"}),
        pa.field("annotator", pa.string(), nullable=False, metadata={"about": "pseudonym"}),
        pa.field("kind", pa.string(), nullable=False, metadata={"about": "person, vision_model or classifier"}),
        pa.field("answer", pa.string(), metadata={"about": "a class, or null: unrecognizable"}),
        pa.field("truth", pa.string(), metadata={"about": "the original's class; null for noise"}),
        pa.field(
            "confidence", pa.float64(), metadata={"about": "of the best class, 0..1, where the annotator has one"}
        ),
        pa.field("seconds", pa.float64(), metadata={"about": "response time, where it was taken"}),
        pa.field("protocol", pa.string(), nullable=False, metadata={"about": "how it was shown, with a version"}),
    ]
)


class AnnotatorKind(StrEnum):
    """The kind of annotator who judged. Only people are people."""

    PERSON = "person"
    VISION_MODEL = "vision_model"
    CLASSIFIER = "classifier"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One annotator's word on one item. The fields are the table's columns."""

    dataset: str
    """The reconstruction set's name."""
    item: str
    """The item's opaque name."""
    shown: Shown
    annotator: str
    """A pseudonym."""
    kind: AnnotatorKind
    answer: str | None
    """A class, or ``None`` for unrecognizable."""
    truth: str | None
    """The original's class; ``None`` for noise."""
    protocol: str
    """The way in which the item was shown, with a version: ``page/1``, ``sheets/1`` or ``classifier/1``."""
    repeat: int = 0
    """1 where the annotator had judged the item before; otherwise 0."""
    confidence: float | None = None
    """Confidence in the best class, 0..1, where the annotator has one."""
    seconds: float | None = None
    """Response time, where it was taken."""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """The set, the item, the annotator and the repeat: no two judgements of a table share them."""
        return self.dataset, self.item, self.annotator, self.repeat

    @property
    def recognised(self) -> bool:
        """True where the answer is the original's class; noise is never recognised."""
        return self.answer is not None and self.answer == self.truth


def append(table: Path, judgements: Sequence[Judgement]) -> Path | None:
    """Add all judgements or none to the table in the directory ``table``; the new file, or ``None`` for no judgements.

    The same judgements always make the same bytes.

    Raises:
        InvalidAnnotations: an annotator judged an item twice, in ``judgements`` or together with the table.
    """
    if not judgements:
        return None
    seen = Counter(judgement.key for judgement in (*read(table), *judgements))
    twice = [key for key, count in seen.items() if count > 1]
    if twice:
        dataset, item, annotator, repeat = twice[0]
        raise InvalidAnnotations(
            f"expected one judgement of an item by an annotator, got {seen[twice[0]]} of {item} in {dataset} "
            f"by {annotator} (repeat {repeat}), {len(twice)} such items in all"
        )
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([asdict(one) for one in judgements], SCHEMA), sink)
    data = sink.getvalue().to_pybytes()
    table.mkdir(parents=True, exist_ok=True)
    number = len(list(table.glob("*.parquet")))
    path = table / f"{number:05d}-{hashlib.sha256(data).hexdigest()[:8]}.parquet"
    writing = path.with_suffix(".writing")
    writing.write_bytes(data)
    writing.replace(path)
    return path


def read(table: Path) -> tuple[Judgement, ...]:
    """All judgements of a table, in the order they were added; none where there is no table yet.

    Raises:
        InvalidAnnotations: a file that is not of this table.
    """
    judgements = []
    for path in sorted(table.glob("*.parquet")):
        try:
            part = pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise InvalidAnnotations(f"expected judgements in {path}: {error}") from error
        if part.schema.names != SCHEMA.names:
            raise InvalidAnnotations(f"expected the columns {SCHEMA.names} in {path}, got {part.schema.names}")
        for row in part.to_pylist():
            try:
                typed = row | {"shown": Shown(row["shown"]), "kind": AnnotatorKind(row["kind"])}
                judgements.append(Judgement(**typed))
            except ValueError as error:
                raise InvalidAnnotations(f"expected a known kind of annotator and item in {path}: {error}") from error
    return tuple(judgements)
