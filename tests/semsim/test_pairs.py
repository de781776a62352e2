"""The decoding of many pairs, and its limits of pixels."""

import pytest

from semsim.exceptions import ErrorCode
from semsim.pairs import PairFailure, decode_pairs, merge_outcomes
from tests.encoded import encode, picture


def test_a_small_reconstruction_costs_as_much_as_its_original() -> None:
    """A large original with many tiny reconstructions is refused: enlarging these would take hours and gigabytes."""
    original = encode(picture(64, 64))
    pairs = [(original, encode(picture(8, 8 + width))) for width in range(5)]
    decoded = decode_pairs(pairs, max_total_pixels=3 * 64 * 64)
    assert decoded.indices == [0, 1, 2]
    assert {failure.code for failure in decoded.failures.values()} == {ErrorCode.TOO_MANY_PIXELS}


def test_nothing_is_decoded_past_the_limit() -> None:
    """Equal images count once; past the limit, pairs with a new image fail, and pairs of decoded images do not."""
    first, second = encode(picture(16, 16)), encode(picture(16, 17))
    pairs = [(first, second), (second, encode(picture(16, 18))), (first, second)]
    decoded = decode_pairs(pairs, max_total_pixels=16 * 33)
    assert decoded.indices == [0, 2]
    assert decoded.failures[1].code is ErrorCode.TOO_MANY_PIXELS


def test_every_pair_has_an_outcome() -> None:
    """Scores and failures come in the order of the pairs; a pair without an outcome is an error, not a shorter list."""
    failure = PairFailure(ErrorCode.NOT_AN_IMAGE, "expected an image")
    assert merge_outcomes(3, [0, 2], ["first", "last"], {1: failure}) == ["first", failure, "last"]
    with pytest.raises(KeyError):
        merge_outcomes(3, [0], ["first"], {1: failure})
