"""The parts of a client's reply in NVFLARE that no audit reads: headers, the metadata of a DXO, and other content."""

from collections.abc import Iterator

import numpy as np
from nvflare.apis.dxo import DXO, DataKind, from_shareable
from nvflare.apis.shareable import ReservedHeaderKey, Shareable

from semsim.exceptions import InvalidUpdate

MOST_VALUES = 1000
"""The most numbers and texts beside the tensors of a reply: more could be the tensors themselves."""
_CONTENT, _PARTS = "DXO", ("kind", "data", "meta")
"""The key under which a Shareable holds a DXO, and the keys in it (nvflare/apis/dxo.py)."""


def refuse_hidden_tensors(shareable: Shareable) -> None:
    """Refuse a reply that holds anything but numbers, texts and truth values beside the data of its DXOs.

    Control variates of SCAFFOLD, for example, travel as metadata: they are updates, which nothing audits.

    Raises:
        InvalidUpdate: there is an array, bytes or an object of another type, or there are more than 1,000 values.
    """
    for number, (place, value) in enumerate(_beside_data(shareable)):
        if not isinstance(value, bool | int | float | str | np.number | np.bool_ | None):
            raise InvalidUpdate(f"expected numbers and texts beside an update, got {type(value).__name__} as {place}")
        if number >= MOST_VALUES:
            raise InvalidUpdate(f"expected at most {MOST_VALUES} numbers and texts beside an update, got more")


def _beside_data(shareable: Shareable) -> Iterator[tuple[str, object]]:
    """Each value of a reply that is in no data of a DXO, with its place."""
    for name, value in shareable.items():
        if name != _CONTENT:
            yield from _leaves("headers" if name == ReservedHeaderKey.HEADERS else str(name), value)
    if _CONTENT in shareable:
        yield from _beside_dxo(from_shareable(shareable))
        yield from _leaves(_CONTENT, {key: value for key, value in shareable[_CONTENT].items() if key not in _PARTS})


def _beside_dxo(dxo: DXO) -> Iterator[tuple[str, object]]:
    yield "kind", dxo.data_kind
    yield from _leaves("meta", dxo.meta)
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
