"""JSON that gives a field twice is refused, whichever reader would take which value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semsim.exceptions import InvalidRequest
from semsim_service.core.schemas import ScoreRequest
from semsim_service.http.json_body import parse_json
from semsim_service.http.repeated_fields import may_repeat_fields
from semsim_service.settings import Limits

PAIR = '"original": "AA==", "reconstruction": "AA=="'


@pytest.mark.parametrize(
    "body",
    [
        '{"pairs": [{"original": "AAAA", PAIR}]}',
        '{"pairs": [{"\\u006friginal": "AAAA", PAIR}]}',
        '{"pairs": [{"id": "a", "id": "b", PAIR}]}',
        '{"pairs": [{"id": "\\u003a", "id": "b", PAIR}]}',
        '{"pairs": [{PAIR}], "pairs": [{PAIR}]}',
        '{"controls": true, "controls": false, "pairs": [{PAIR}]}',
        '{"pairs": [{"original": 1, PAIR}, {PAIR}]}',
        '{"pairs": [{"x": {"y": 1, "y": 2}, PAIR}]}',
    ],
)
def test_a_field_that_is_given_twice_refuses_the_request(body: str) -> None:
    """The request is refused as a whole: nobody can say which value was meant."""
    with pytest.raises(InvalidRequest, match="each field of a JSON object once"):
        parse_json(body.replace("PAIR", PAIR).encode(), Limits())


@given(ids=st.lists(st.none() | st.text(max_size=20), min_size=1, max_size=5), ascii_only=st.booleans())
def test_ids_repeat_nothing(ids: list[str | None], ascii_only: bool) -> None:
    """Requests with any ids are taken; what is escaped in them costs a second look at most."""
    pairs = [{"id": each, "original": "AA==", "reconstruction": "AA=="} for each in ids]
    body = json.dumps({"pairs": pairs}, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    assert [pair.id for pair in parse_json(body, Limits()).pairs] == ids
    if b"\\" not in body:
        assert not may_repeat_fields(body, ScoreRequest.model_validate_json(body))
