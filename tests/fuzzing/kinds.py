"""Every kind of case: how it is made, the rule that it must keep, and its share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.fuzzing import rules
from tests.fuzzing.directories import directories
from tests.fuzzing.documents import EXPORTS, MANIFESTS
from tests.fuzzing.files import WHOLE, Edit, changes, contents, damaged
from tests.fuzzing.grids import GRIDS
from tests.fuzzing.updates import UPDATE_FILES, UPDATES
from tests.fuzzing.values import arrays, tensors, values
from tests.fuzzing.world import World


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of case."""

    name: str
    share: float
    """The share of all cases, in relation to the other kinds."""
    cases: st.SearchStrategy[Any]
    rule: Callable[[World, Any], None]


_STATISTICS = st.one_of(*[st.just((0.5, 0.5, 0.5))] * 2, st.lists(st.floats(), max_size=4), values())
_RANGES = st.one_of(*[st.just((0.0, 1.0))] * 2, st.tuples(st.floats(), st.floats()), values())
_TENSOR_CALLS = st.tuples(st.one_of(tensors(), tensors(), values()), _STATISTICS, _STATISTICS, _RANGES)
_LISTS = st.lists(st.one_of(*[st.just(np.zeros((8, 8, 3), np.uint8))] * 2, arrays(), values()), max_size=3)
_IMAGE_LISTS = st.tuples(_LISTS, _LISTS)
_NO_PAIR = values().filter(lambda one: type(one) is not int)
_PAIR_LISTS = st.lists(st.one_of(st.integers(0, 35), st.tuples(values(), values()), _NO_PAIR), max_size=5)


def _can_be_told(case: tuple[str, list[Edit]]) -> bool:
    """False for zeros behind a cut of lossy WebP, which are the lowest number of some picture, too."""
    name, edits = case
    return not name.startswith("webp") or all(edit.tail.strip(b"\0") or not edit.tail for edit in edits)


_TOLD = st.one_of(
    st.tuples(st.sampled_from([name for name in WHOLE if name.startswith(kind)]), changes(*ways))
    for kind, ways in rules.TOLD.items()
).filter(_can_be_told)

KINDS = (
    Kind("value", 20, values(), rules.value),
    Kind("tensor", 10, _TENSOR_CALLS, rules.tensor),
    Kind("arrays", 5, _IMAGE_LISTS, rules.arrays),
    Kind("pairs", 6, _PAIR_LISTS, rules.pairs),
    Kind("content", 10, contents(), rules.content),
    Kind("readable", 15, damaged(), rules.readable),
    Kind("damaged", 15, _TOLD, rules.damaged),
    Kind("update", 8, UPDATES, rules.update),
    Kind("update file", 6, UPDATE_FILES, rules.update_file),
    Kind("grid", 5, GRIDS, rules.grid),
    Kind("export", 3, EXPORTS, rules.export),
    Kind("manifest", 2, MANIFESTS, rules.manifest),
    Kind("gate", 6, directories(), rules.gate),
)
