"""Many pairs of encoded images: within the limits, one failure at a time."""

from semsim.exceptions import ErrorCode
from semsim.pairs import decode_pairs
from tests.encoded import encode, picture


def test_a_small_reconstruction_costs_as_much_as_its_original() -> None:
    """It is enlarged to be compared: a large original with many tiny reconstructions would take hours and gigabytes."""
    original = encode(picture(64, 64))
    pairs = [(original, encode(picture(8, 8 + width))) for width in range(5)]
    decoded = decode_pairs(pairs, max_total_pixels=3 * 64 * 64)
    assert decoded.indices == [0, 1, 2]
    assert {failure.code for failure in decoded.failures.values()} == {ErrorCode.TOO_MANY_PIXELS}


def test_nothing_is_decoded_past_the_limit() -> None:
    """Distinct images count once each; the pairs that are left fail, those whose images are there do not."""
    first, second = encode(picture(16, 16)), encode(picture(16, 17))
    pairs = [(first, second), (second, encode(picture(16, 18))), (first, second)]
    decoded = decode_pairs(pairs, max_total_pixels=16 * 33)
    assert decoded.indices == [0, 2]
    assert decoded.failures[1].code is ErrorCode.TOO_MANY_PIXELS
