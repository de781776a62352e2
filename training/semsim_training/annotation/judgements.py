"""One table of judgements: a directory of Parquet files, one for each time something was added, none ever changed."""

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
        pa.field("item", pa.string(), nullable=False, metadata={"about": "opaque name, see training.annotation.items"}),
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
    """Who judged. Only people are people."""

    PERSON = "person"
    VISION_MODEL = "vision_model"
    CLASSIFIER = "classifier"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one annotator said of one item, once. The fields are the table's columns."""

    dataset: str
    item: str
    shown: Shown
    annotator: str
    kind: AnnotatorKind
    answer: str | None
    """A class, or ``None``: unrecognizable."""
    truth: str | None
    protocol: str
    """Such as ``page/1``, ``sheets/1`` or ``classifier/1``."""
    repeat: int = 0
    confidence: float | None = None
    seconds: float | None = None

    @property
    def key(self) -> tuple[str, str, str, int]:
        """An annotator judges an item once, and once more where it is repeated."""
        return self.dataset, self.item, self.annotator, self.repeat

    @property
    def recognised(self) -> bool:
        """Whether the answer is the original's class; noise is never recognised."""
        return self.answer is not None and self.answer == self.truth


def append(table: Path, judgements: Sequence[Judgement]) -> Path | None:
    """Add judgements to the table in the directory ``table``; the new file, or ``None`` for none.

    Either all are added or none; the same judgements always make the same bytes.

    Raises:
        InvalidAnnotations: an annotator judged an item twice, here or with what is in the table.
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
    """All judgements, in the order they were added; none where there is no table yet.

    Raises:
        InvalidAnnotations: a file that is not of this table.
    """
    found = []
    for path in sorted(table.glob("*.parquet")):
        try:
            part = pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise InvalidAnnotations(f"expected judgements in {path}: {error}") from error
        if part.schema.names != SCHEMA.names:
            raise InvalidAnnotations(f"expected the columns {SCHEMA.names} in {path}, got {part.schema.names}")
        for row in part.to_pylist():
            try:
                found.append(Judgement(**row | {"shown": Shown(row["shown"]), "kind": AnnotatorKind(row["kind"])}))
            except ValueError as error:
                raise InvalidAnnotations(f"expected a known kind of annotator and item in {path}: {error}") from error
    return tuple(found)
