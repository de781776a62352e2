"""Malformed inputs follow from the seed, their kind and their number."""

from collections import Counter

from benchmarks.harness.questions import Mark
from benchmarks.malformed.findings import Findings
from benchmarks.malformed.inputs.corpus import make_corpus
from benchmarks.malformed.inputs.kinds import KINDS
from benchmarks.malformed.run import blocks

MARK = Mark.of(1)


def test_malformed_inputs_can_be_made_again_one_by_one() -> None:
    """The n-th input of a kind is the same alone as in its block; each kind has its share."""
    corpus = make_corpus(1, MARK, "small")
    for kind in (kind for kind in KINDS if not kind.together):
        together, alone = kind.make(1, corpus, 10, 4), kind.make(1, corpus, 12, 1)
        assert together[2] == alone[0]
    planned: Counter[str] = Counter()
    for block in blocks(10_000):
        planned[block.kind.name] += block.count
    assert abs(planned.total() - 10_000) < len(KINDS)
    assert set(planned) == {kind.name for kind in KINDS}
    assert Findings(1).fault_lines() == []
