"""Texts that are nearly a grid of attacks."""

from typing import Any

import yaml
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.fuzzing.files import changes, contents

_EXAMPLE = (ROOT / "training/semsim_training/reconstructions/example_grid.yaml").read_text()
_TEXT = _EXAMPLE[_EXAMPLE.index("\nname: ") :]
_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n" for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""A text whose last list has 9 ** 9 elements, each the same."""
_WORDS = (
    *("[", "]", "{", "}", ":", "-", "&a ", "*a", "!!python/object:os.system ", "!!binary ", "!!float nan", ".inf"),
    *("-1", "0", "1e400", "null", "true", "''", '"', "\t", "\n", "\0", "\ufeff", "# ", "%YAML 9.9", "---", "...", "?"),
    *("|", ">", "<<: *a", "9" * 20, "9" * 5000, "2026-11-28", "0x1f", "é", "\udce9", "size: -3", "count: .nan"),
    *("photos", "{folder: x}", "gaussian:1e999", "prune:x", "none", "[" * 1200, "{a: " * 1200, "? " * 1200),
)
_LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(_WORDS)
_VALUES = _LEAF | st.lists(_LEAF, max_size=3) | st.dictionaries(st.text(max_size=5), _LEAF, max_size=2)


@st.composite
def _reshaped(draw: st.DrawFn) -> str:
    """The example with other values, or with fields that are not known."""
    document = yaml.safe_load(_TEXT)
    for _ in range(draw(st.integers(1, 3))):
        put(draw, document)
    return yaml.safe_dump(document, allow_unicode=True)


def put(draw: st.DrawFn, document: Any) -> None:
    """Another value at some place of a document."""
    while True:
        keys = sorted(document, key=str) if isinstance(document, dict) else range(len(document))
        key: Any = draw(st.sampled_from(keys))
        inner = document[key]
        if not isinstance(inner, dict | list) or not inner or draw(st.integers(0, 3)) == 0:
            break
        document = inner
    if isinstance(document, dict) and draw(st.integers(0, 4)) == 0:
        key = draw(st.text(max_size=5))
    document[key] = draw(_VALUES)


@st.composite
def _reworded(draw: st.DrawFn) -> str:
    """The example with words of YAML put in or in the place of others."""
    text = _TEXT
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(_WORDS)) + text[at + draw(st.sampled_from([0, 1, 5])) :]
    return text


def _damaged(edits: list[Any]) -> bytes:
    data = _TEXT.encode()
    for edit in edits:
        data = edit.apply(data)
    return data


_PLACES = ("name", "seed", "settings", "images", "victims", "splits", "x")
_BOMBS = st.builds(lambda place, name: f"{_BOMB}{place}: *{name}\n", st.sampled_from(_PLACES), st.sampled_from("cei"))
GRIDS: st.SearchStrategy[bytes] = st.one_of(
    st.one_of(_reshaped(), _reshaped(), _reworded(), _BOMBS).map(lambda text: text.encode("utf-8", "surrogateescape")),
    changes().map(_damaged),
    contents(),
)
