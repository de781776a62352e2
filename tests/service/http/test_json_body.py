"""The claim of a JSON body."""

import json

import pytest

from semsim_service.http.json_body import claimed_pairs
from tests.encoded import encode, picture
from tests.service.live import base64_pair

PAIR = base64_pair(encode(picture()), encode(picture()))


@pytest.mark.parametrize("spaces", [None, 2])
def test_pairs_are_counted(spaces: int | None) -> None:
    """Pairs are counted however the body is laid out. The field's name as a value does not count."""
    assert claimed_pairs(json.dumps({"pairs": [PAIR] * 5}, indent=spaces).encode()) == 5
    assert claimed_pairs(json.dumps({"pairs": [PAIR | {"id": '"reconstruction"'}]}, indent=spaces).encode()) == 1
    assert claimed_pairs(b"{") == 0
