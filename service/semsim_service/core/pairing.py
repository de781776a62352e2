"""Puts pairs together whose originals, reconstructions and ids came as separate lists."""

from collections.abc import Sequence

from semsim.exceptions import InvalidRequest
from semsim_service.core.received import ImageInput, ReceivedPair
from semsim_service.core.schemas import MAX_ID_LENGTH


def match_pairs(
    originals: Sequence[ImageInput], reconstructions: Sequence[ImageInput], ids: Sequence[str] = ()
) -> list[ReceivedPair]:
    """Pairs of the i-th original and the i-th reconstruction, with the i-th id.

    A single original belongs to every reconstruction. It stays one object, so that it is embedded once.

    Raises:
        InvalidRequest: no reconstruction, or counts that do not fit, or an id that is too long.
    """
    count = len(reconstructions)
    if count == 0 or len(originals) not in (1, count):
        raise InvalidRequest(f"expected one original, or one for each reconstruction, got {len(originals)} and {count}")
    if len(ids) not in (0, count):
        raise InvalidRequest(f"expected an id for each of {count} reconstructions or none, got {len(ids)}")
    if any(len(pair_id) > MAX_ID_LENGTH for pair_id in ids):
        raise InvalidRequest(f"expected ids of at most {MAX_ID_LENGTH} characters, got a longer one")
    if len(originals) == 1:
        originals = [originals[0]] * count
    names: Sequence[str | None] = ids or [None] * count
    return list(map(ReceivedPair, names, originals, reconstructions))
