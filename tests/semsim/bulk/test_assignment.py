"""The pairing of embeddings by distance equals that of the full matrix, and tells where it is not proved to."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from semsim.bulk import distance_matching
from semsim.bulk.assignment import Assignment, assign
from semsim.bulk.blocked_distances import EmbeddingDistances, closest
from semsim.bulk.files import Directories
from semsim.bulk.matching import Match
from semsim.bulk.sparse_assignment import CandidatePairs
from semsim.images.limits import DEFAULT_LIMITS
from semsim.progress import silent
from semsim.scorer import Scorer
from tests.encoded import encode, picture

Sides = tuple[NDArray[np.float32], NDArray[np.float32]]


def sides(kind: str, left: int, right: int) -> Sides:
    """Embeddings of both sides: unrelated, copies under noise or in a corner, a few equal ones, or near copies."""
    rng = np.random.default_rng(len(kind))
    points = rng.normal(size=(max(left, right, 7), 24)).astype(np.float32)
    noise = rng.normal(size=points.shape).astype(np.float32)
    match kind:
        case "unrelated":
            return points[:left], noise[:right]
        case "noisy":
            return points[:left], (points + noise * rng.uniform(0, 2, (len(points), 1)).astype(np.float32))[-right:]
        case "corner":
            return points[:left], points[-right:] * np.float32(0.3) + 1 + noise[-right:] * np.float32(0.3)
        case "equal":
            return points[rng.integers(0, 7, left)], noise[rng.integers(0, 5, right)]
    alike = points[np.arange(len(points)) // 5]
    return alike[:left] + noise[:left] * 1e-5, np.flip(alike)[:right] + noise[-right:] * 1e-5


def lengths(both: Sides, pairs: list[tuple[int, int]]) -> NDArray[np.float64]:
    """The distances of pairs."""
    rows, columns = np.array(pairs).T
    return np.asarray(np.linalg.norm(both[0][rows].astype(np.float64) - both[1][columns], axis=1))


@pytest.mark.parametrize("kind", ["unrelated", "noisy", "corner", "equal", "near copies"])
@pytest.mark.parametrize(("left", "right"), [(300, 300), (240, 300), (300, 170), (1, 3)])
def test_few_pairs_give_the_answer_of_all(kind: str, left: int, right: int) -> None:
    """The total distance is that of the full matrix, each partner is used once, and it is said to be proved."""
    both = sides(kind, left, right)
    everything = EmbeddingDistances(*both).block(np.arange(left), np.arange(right))
    least = everything[linear_sum_assignment(everything)].sum()
    assignment = assign(*both)
    rows, columns = zip(*assignment.pairs, strict=True)
    assert len(set(rows)) == len(set(columns)) == len(rows) == min(left, right)
    assert lengths(both, assignment.pairs).sum() == pytest.approx(least, rel=1e-6, abs=1e-6)
    assert assignment.excess == 0.0
    assert lengths(both, closest(*both)) == pytest.approx(everything.min(axis=1), abs=1e-5)


def test_embeddings_that_are_all_the_same_are_paired() -> None:
    """Where every distance is 0, everybody still has a partner of its own."""
    assert len({column for _, column in assign(np.ones((90, 3), np.float32), np.ones((80, 3), np.float32)).pairs}) == 80


def test_best_reuses_and_assignment_does_not() -> None:
    """`closest` takes the closest reconstruction of each original, `assign` the pairs of least total distance."""
    originals, reconstructions = np.array([[0.1], [0.2]], np.float32), np.array([[0.0], [1.0]], np.float32)
    assert closest(originals, reconstructions) == [(0, 0), (1, 0)]
    assert len({column for _, column in assign(originals, reconstructions).pairs}) == 2


def test_equal_embeddings_do_not_all_ask_for_the_same_few() -> None:
    """Where hundreds are equal, each has candidates of its own: few looks at all pairs end the search."""
    both = sides("equal", 600, 600)
    looks = []
    block = EmbeddingDistances.block

    def look(distances: EmbeddingDistances, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
        looks.append(len(rows) * len(columns) / 600**2)
        return block(distances, rows, columns)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EmbeddingDistances, "block", look)
        assert assign(*both).excess == 0.0
    assert sum(looks) <= 6


@pytest.mark.parametrize("width", [900, 1000])
def test_the_prices_at_the_start_do_not_change_the_result(width: int) -> None:
    """A search from no prices, from those that prove the pairing, and from any others ends with the same cost."""
    both = sides("unrelated", 900, width)
    costs = np.rint(EmbeddingDistances(*both).block(np.arange(900), np.arange(width)) * 1e5).astype(np.int64)
    rows, columns = np.nonzero(
        (costs <= np.partition(costs, 30, axis=1)[:, 30:31]) | np.eye(900, width, dtype=np.bool_)
    )
    candidates = CandidatePairs((900, width), rows, columns, costs[rows, columns])
    known, none = np.arange(900), np.zeros(width, np.int64)
    partners = candidates.cheapest(known, none)
    _, prices = candidates.prices(partners)
    again = candidates.cheapest(known, prices)
    random = -np.random.default_rng(0).integers(0, 10**5, width)
    other = candidates.cheapest(known, random)
    assert costs[known, partners].sum() == costs[known, again].sum() == costs[known, other].sum()


def test_a_search_that_ends_early_bounds_what_it_may_have_lost() -> None:
    """Without room for more candidates there is no proof, and the least total is within the bound that is told."""
    both = sides("equal", 300, 300)
    early, best = assign(*both, most=1), assign(*both)
    assert 0.0 < early.excess <= 1.0
    total, least = lengths(both, early.pairs).sum(), lengths(both, best.pairs).sum()
    assert least < total <= least + early.excess * total * (1 + 1e-6)


def test_an_unproved_pairing_is_told(small_scorer: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matching that is not proved the least says so, and says that leakage may be higher than told."""
    for folder in ("originals", "reconstructions"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0.png").write_bytes(encode(picture()))
    monkeypatch.setattr(distance_matching, "assign", lambda *_: Assignment([(0, 0)], 0.02))
    name = [Path("0.png")]
    where = Directories(tmp_path / "originals", tmp_path / "reconstructions")
    matching, _ = distance_matching.match_by_distance(
        small_scorer, where, Match.ASSIGNMENT, DEFAULT_LIMITS, silent, name, name
    )
    assert not matching.is_exact
    assert "may be 0.02 of it above" in matching.note
