"""The parts of a client's reply in NVFLARE that no audit reads: headers, the metadata of a DXO, and other content."""

from collections.abc import Iterator

import numpy as np
from nvflare.apis.dxo import DXO, DataKind, from_shareable
from nvflare.apis.shareable import ReservedHeaderKey, Shareable

from semsim.exceptions import InvalidUpdate

MOST_VALUES = 1000
"""The most numbers and texts beside the tensors of a reply, with its metrics: more could be the tensors themselves."""
LONGEST = 10_000
"""The most characters of a text, and bits of a whole number, that are no tensors written in another way."""
_CONTENT, _PARTS = "DXO", ("kind", "data", "meta")
"""The key under which a Shareable holds a DXO, and the keys in it (nvflare/apis/dxo.py)."""


def refuse_hidden_tensors(shareable: Shareable) -> None:
    """Refuse a reply that holds anything but numbers, texts and truth values beside the data of its DXOs.

    Control variates of SCAFFOLD, for example, travel as metadata: they are updates, which nothing audits.

    Raises:
        InvalidUpdate: there is an array, bytes or an object of another type, a text or a whole number of more than
            10,000 characters or bits, or there are more than 1,000 values, METRICS among them.
    """
    for number, (place, value) in enumerate(_beside_data(shareable)):
        if not isinstance(value, bool | int | float | str | np.number | np.bool_ | None):
            raise InvalidUpdate(f"expected numbers and texts beside an update, got {type(value).__name__} as {place}")
        if (length := _length(value)) > LONGEST:
            raise InvalidUpdate(f"expected at most {LONGEST} characters or bits beside an update, got {length}")
        if number >= MOST_VALUES:
            raise InvalidUpdate(f"expected at most {MOST_VALUES} numbers and texts beside an update, got more")


def _length(value: object) -> int:
    """The characters of a text or the bits of a whole number; 0 for others."""
    return len(value) if isinstance(value, str) else value.bit_length() if isinstance(value, int) else 0


def _beside_data(shareable: Shareable) -> Iterator[tuple[str, object]]:
    """Each value of a reply that is in no audited data of a DXO, with its place."""
    for name, value in shareable.items():
        if name != _CONTENT:
            yield from _leaves("headers" if name == ReservedHeaderKey.HEADERS else str(name), value)
    if _CONTENT in shareable:
        yield from _beside_dxo(from_shareable(shareable))
        yield from _leaves(_CONTENT, {key: value for key, value in shareable[_CONTENT].items() if key not in _PARTS})


def _beside_dxo(dxo: DXO) -> Iterator[tuple[str, object]]:
    yield "kind", dxo.data_kind
    yield from _leaves("meta", dxo.meta)
    if dxo.data_kind == DataKind.METRICS:
        yield from _leaves("metrics", dxo.data)
    if dxo.data_kind == DataKind.COLLECTION:
        parts = dxo.data.values() if isinstance(dxo.data, dict) else dxo.data
        for part in parts:
            if isinstance(part, DXO):
                yield from _beside_dxo(part)
            else:  # NVFLARE's filters pass it by
                yield "a collection", part


def _leaves(place: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield place, name
            yield from _leaves(f"{place}/{name}", inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(place, inner)
    else:
        yield place, value
