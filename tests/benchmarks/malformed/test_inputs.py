"""Malformed inputs follow from the seed, their kind and their number."""

import base64
import json
from collections import Counter

import pytest

from benchmarks.harness.questions import Mark
from benchmarks.malformed.findings import Findings
from benchmarks.malformed.inputs.corpus import make_corpus
from benchmarks.malformed.inputs.http_bodies import WANTED
from benchmarks.malformed.inputs.kinds import KINDS
from benchmarks.malformed.run import blocks
from semsim.exceptions import CorruptImage
from semsim.images.decode import decode

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


def _bodies(name: str, count: int) -> list[bytes]:
    """The bodies of some inputs of a kind of requests."""
    kind = next(kind for kind in KINDS if kind.name == name)
    return [one.partition(b"\r\n\r\n")[2] for one in kind.make(1, make_corpus(1, MARK, "small"), 0, count)]


def test_doubled_keys_come_twice_in_right_json() -> None:
    """Every document can be read, and in one of its objects a key comes twice."""
    for body in _bodies("json doubled", 20):
        objects: list[list[str]] = []
        json.loads(body, object_pairs_hook=lambda items, seen=objects: seen.append([key for key, _ in items]))
        assert any(len(set(keys)) < len(keys) for keys in objects)


def test_laborious_pictures_are_small_files_that_the_decoder_knows() -> None:
    """A pair fits into a megabyte; its pictures are corrupt, or 16 px by tens of thousands of one colour."""
    seen: Counter[str] = Counter()
    for body in _bodies("image laborious", 20):
        assert len(body) < 2**20
        (pair,) = json.loads(body)["pairs"]
        pictures = [base64.b64decode(pair[name]) for name in ("original", "reconstruction")]
        seen[pair["id"]] += 1
        if pair["id"] == WANTED + "corrupt_image":
            with pytest.raises(CorruptImage, match="expected at most"):
                list(map(decode, pictures))
        else:
            first, second = map(decode, pictures)
            assert first.shape == second.shape
            assert sorted(first.shape)[1] == 16
            assert max(first.shape) >= 60_000
    assert len(seen) == 3
