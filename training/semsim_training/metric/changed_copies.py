"""Changed copies of test originals as a reconstruction set, so that annotators can judge them as they judge the rest.

The model's card says what the model makes of simple changes (:mod:`semsim_training.metric.changes`). Judgements of such
copies say what it should make of them. A set of copies holds pictures of the originals' data set: keep it private.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from semsim.exceptions import InvalidDataset, NotCalibrated
from semsim.scorer import Scorer
from semsim_training.client_images.png import encode_png
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.metric.changes import CHANGES
from semsim_training.reconstructions.dataset import DatasetDescription, ShardFile
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.reconstructions.schema import StoredReconstruction, table_of
from semsim_training.seeds import stable_hash
from semsim_training.statistics.intervals import Rate

ANNOTATED = (
    "without colour", "mirrored", "noise, sigma 15", "noise, sigma 30", "blurred, sigma 1 pixel",
    "blurred, sigma an eighth of the side", "half the contrast",
)  # fmt: skip
"""The changes of which annotators are asked."""


def write_changed_copies(source: Path, out: Path, count: int, changes: Sequence[str] = ANNOTATED) -> DatasetDescription:
    """Write a set of ``count`` test originals of the set ``source``, each with every change, into ``out``.

    Its name is the source's with ``-changed`` behind it. The same source always gives the same set.

    Raises:
        InvalidDataset: too few test originals, one that cannot be read, or a set in ``out`` already.
    """
    if (out / DatasetDescription.FILE).exists():
        raise InvalidDataset(f"expected no set in {out} yet, got one")
    made = ReconstructionSet.read(source)
    rows = {row.image: row for row in made.rows if row.split == "test"}
    if len(rows) < count:
        raise InvalidDataset(f"expected at least {count} test originals in {source}, got {len(rows)}")
    name = f"{made.name}-changed"
    chosen = sorted(rows.values(), key=lambda row: stable_hash(f"{name}/{row.image}"))[:count]
    copies = []
    for row in chosen:
        original = Image.fromarray(made.original(row))
        for change in changes:
            plain = replace(
                row,
                setting=f"{name}--{change}", attack=change, preset="copy", near_copy_of=None, status="matched",
                psnr=0.0, iterations=0, batch=1, defense="none", mode="none", victim="none", trained=False,
                objective=None,
            )  # fmt: skip
            picture = encode_png(np.asarray(CHANGES[change](original)))
            copies.append(StoredReconstruction(**asdict(plain), picture=picture))
    shard = out / "shards" / "000-00000.parquet"
    shard.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table_of(copies), shard)
    file = ShardFile(name=shard.name, rows=len(copies), sha256=hashlib.sha256(shard.read_bytes()).hexdigest())
    update = {"name": name, "rows": len(copies), "settings": len(changes), "diverged": 0, "victims": {}}
    description = made.description.model_copy(update=update | {"shards": (file,)})
    (out / description.FILE).write_text(description.model_dump_json(indent=2) + "\n")
    return description


@dataclass(frozen=True, slots=True)
class JudgedChange:
    """One change: what annotators and what a model make of the copies."""

    change: str
    named: Rate
    """The share of judgements that name the original's class."""
    leakage: float | None
    """The mean leakage of the copies that have one; ``None`` where none has."""
    recognizable: Rate
    """The share of copies that the model calls recognizable."""
    uninformative: Rate
    """The share of copies of which the model could not tell, so that they have no leakage."""

    @classmethod
    def of(cls, change: str, judged: Sequence[JudgedSet], scorer: Scorer) -> Self:
        """The copies with one change in sets of changed copies.

        Raises:
            NotCalibrated: the model has no leakage.
            InvalidDataset: an original is not there.
        """
        parts = [one.take(one.where(lambda row: row.attack, change)) for one in judged]
        pairs = [pair for part in parts for pair in part.pairs]
        scores = scorer.score_images([pair.original() for pair in pairs], [pair.reconstruction() for pair in pairs])
        if any(score.leakage is None and score.uninformative is None for score in scores):
            raise NotCalibrated(f"expected a leakage of copies {change}, got none")
        leakages = [score.leakage for score in scores if score.leakage is not None]
        right, asked = (sum(int(getattr(part, name).sum()) for part in parts) for name in ("recognised", "annotators"))
        return cls(
            change,
            Rate.of_outcomes([True] * right + [False] * (asked - right)),
            float(np.mean(leakages)) if leakages else None,
            Rate.of_outcomes([bool(score.recognizable) for score in scores]),
            Rate.of_outcomes([score.uninformative is not None for score in scores]),
        )


def judged_changes_table(judged: Sequence[JudgedSet], scorer: Scorer) -> str:
    """A Markdown table of the changes, in the order in which the sets have them."""
    changes = dict.fromkeys(pair.row.attack for one in judged for pair in one.pairs)
    measured = [JudgedChange.of(change, judged, scorer) for change in changes]
    return "\n".join(
        (
            "| change | copies | judgements that name it | mean leakage | called recognizable | could not tell |",
            "|---|---|---|---|---|---|",
            *(
                f"| {one.change} | {one.recognizable.of} | {_share(one.named)} | {_mean(one.leakage)} "
                f"| {_share(one.recognizable)} | {_share(one.uninformative)} |"
                for one in measured
            ),
        )
    )


def _mean(leakage: float | None) -> str:
    return "-" if leakage is None else f"{leakage:.2f}"


def _share(rate: Rate) -> str:
    if rate.value is None or rate.interval is None:
        return "-"
    return f"{rate.value:.0%} ({rate.interval.low:.0%} to {rate.interval.high:.0%})"
