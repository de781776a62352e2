"""How well vision models stand in for people who look: on pictures that both have named.

Three vision models predict how many of ten people name a picture. The bar is set by people: how well three of the ten
predict how many of the other seven do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from semsim.exceptions import InvalidAnnotations
from semsim_training.statistics.bootstrap import resampled
from semsim_training.statistics.intervals import CONFIDENCE, Floats
from semsim_training.statistics.ranks import Ranking, spearman

COLUMNS = ("kind", "class", "people", "lookers")
_DRAWS, _SEED = 1000, 0


@dataclass(frozen=True, slots=True)
class StandIns:
    """Pictures of one kind, which people and vision models have named."""

    kind: str
    pictures: int
    people: int
    """The number of people who named each picture."""
    lookers: int
    """The number of vision models who did."""
    people_right: float
    """The share of people's answers that are the class, 0..1."""
    lookers_right: float
    """The share of vision models' answers that are."""
    lookers_as_people: Floats
    """Spearman's correlation of the share of vision models who were right with that of people, ``(1 + R,)``: over the
    pictures, and over R draws of them."""
    people_as_people: Floats
    """The same of as many people with the other people, averaged over all choices of them, ``(1 + R,)``."""

    @classmethod
    def of(cls, kind: str, people: NDArray[np.bool_], lookers: NDArray[np.bool_]) -> Self:
        """The agreement on N pictures; ``people`` ``(N, P)`` and ``lookers`` ``(N, L)`` are true for right answers."""
        count = len(people)
        draws = np.concatenate([np.ones((1, count)), resampled(count, _DRAWS, _SEED)])
        chosen = [list(some) for some in combinations(range(people.shape[1]), lookers.shape[1])]
        others = [[one for one in range(people.shape[1]) if one not in some] for some in chosen]
        among_people = [
            _agreement(people[:, some], people[:, other], draws) for some, other in zip(chosen, others, strict=True)
        ]
        return cls(
            kind,
            count,
            people.shape[1],
            lookers.shape[1],
            float(people.mean()),
            float(lookers.mean()),
            _agreement(lookers, people, draws),
            np.nanmean(among_people, axis=0),
        )


def read_stand_ins(table: Path) -> tuple[StandIns, ...]:
    """The agreement on each kind of pictures, and on all.

    ``table`` is a Parquet file with a row for each picture and the columns ``kind``, ``class``, ``people`` and
    ``lookers``, lists of answers. An answer other than the class is wrong.

    Raises:
        InvalidAnnotations: no such table, other columns, or not as many answers for each picture.
    """
    try:
        rows = pq.read_table(table, columns=list(COLUMNS)).to_pylist()
    except (OSError, pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise InvalidAnnotations(
            f"expected a table with the columns {', '.join(COLUMNS)} at {table}: {error}"
        ) from error
    right = {column: _right(rows, column, table) for column in ("people", "lookers")}
    if right["people"].shape[1] <= right["lookers"].shape[1]:
        raise InvalidAnnotations(
            f"expected more people than vision models in {table}, got {right['people'].shape[1]} and "
            f"{right['lookers'].shape[1]}"
        )
    kinds = np.asarray([row["kind"] for row in rows])
    parts = [(kind, kinds == kind) for kind in dict.fromkeys(kinds.tolist())]
    if len(parts) > 1:
        parts.append(("all", np.ones(len(rows), dtype=np.bool_)))
    return tuple(StandIns.of(kind, right["people"][chosen], right["lookers"][chosen]) for kind, chosen in parts)


def stand_ins_table(measured: Sequence[StandIns]) -> str:
    """The agreement as a Markdown table, with 95% intervals over draws of pictures."""
    first = measured[0]
    some, rest = first.lookers, first.people - first.lookers
    return "\n".join(
        (
            "| pictures | people right | vision models right "
            f"| Spearman: {some} vision models with {first.people} people "
            f"| Spearman: {some} people with the other {rest} | difference |",
            "|---|---|---|---|---|---|",
            *(
                f"| {one.kind}, {one.pictures} | {one.people_right:.2f} | {one.lookers_right:.2f} "
                f"| {_figure(one.lookers_as_people)} | {_figure(one.people_as_people)} "
                f"| {_figure(one.lookers_as_people - one.people_as_people, '+')} |"
                for one in measured
            ),
        )
    )


def _right(rows: Sequence[dict[str, object]], column: str, table: Path) -> NDArray[np.bool_]:
    """True where an answer is the class, ``(N, annotators)``."""
    answers = [row[column] for row in rows]
    counts = {len(some) if isinstance(some, list) else 0 for some in answers}
    if len(counts) != 1 or 0 in counts:
        raise InvalidAnnotations(
            f"expected as many answers in the column {column} of {table} for each picture, got {sorted(counts)}"
        )
    classes = np.asarray([row["class"] for row in rows])
    return np.asarray(np.asarray(answers) == classes[:, None])


def _agreement(some: NDArray[np.bool_], others: NDArray[np.bool_], draws: Floats) -> Floats:
    """Spearman's correlation of two shares of right answers in each draw of pictures."""
    ranks = [Ranking.of(right.mean(axis=1)).centred_ranks(draws) for right in (some, others)]
    return spearman(ranks[0], ranks[1], draws)


def _figure(values: Floats, sign: str = "") -> str:
    low, high = np.nanquantile(values[1:], ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return f"{values[0]:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"
