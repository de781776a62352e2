"""The decoding of many pairs, and its limits of pixels."""

import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from semsim import Scorer
from semsim.exceptions import EmptyImage, ErrorCode, InvalidArray, InvalidPair
from semsim.pairs import PairFailure, decode_pairs, merge_outcomes
from semsim.scorer import PairScore
from tests.encoded import encode, picture

IMAGE = picture()


class OddPath(os.PathLike[str]):
    """A path whose own code fails."""

    def __fspath__(self) -> str:
        raise RuntimeError("no path today")


class Loud(bytes):
    """Bytes that cannot be compared or be a key."""

    def __hash__(self) -> int:
        raise RuntimeError("no hash")


def released() -> memoryview:
    """A view of memory that it gave back."""
    view = memoryview(encode(IMAGE))
    view.release()
    return view


def masked() -> Any:
    """An array one of whose values is masked."""
    array = np.ma.masked_array(IMAGE.copy())
    array[0, 0, 0] = np.ma.masked
    return array


BAD: dict[str, tuple[Any, ErrorCode, str]] = {
    "an image of Pillow with ink": (Image.fromarray(IMAGE).convert("CMYK"), ErrorCode.INVALID_ARRAY, "got mode CMYK"),
    "a tensor": (torch.zeros(3, 24, 32), ErrorCode.INVALID_ARRAY, "images_from_tensor"),
    "None": (None, ErrorCode.INVALID_ARRAY, "got NoneType"),
    "a number": (5, ErrorCode.INVALID_ARRAY, "got int"),
    "a nested list": (IMAGE.tolist(), ErrorCode.INVALID_ARRAY, "got list"),
    "a mapping": ({"bytes": b""}, ErrorCode.INVALID_ARRAY, "got dict"),
    "a float array": (IMAGE / 255, ErrorCode.INVALID_ARRAY, "got float64"),
    "an array of objects": (np.array([None, 3]), ErrorCode.INVALID_ARRAY, "got object"),
    "a masked array": (masked(), ErrorCode.INVALID_ARRAY, "got a masked array"),
    "a path that fails": (OddPath(), ErrorCode.INTERNAL, "got RuntimeError"),
    "a path with NUL": ("a\0b.png", ErrorCode.UNREADABLE_FILE, "a\0b.png"),
    "half a surrogate": ("\ud800.png", ErrorCode.UNREADABLE_FILE, "expected a readable image file"),
    "a released view": (released(), ErrorCode.INTERNAL, "got ValueError"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("side", ["original", "reconstruction"])
def test_a_bad_type_fails_alone(small_scorer: Scorer, name: str, side: str) -> None:
    """The pairs around it are scored, and its failure names the side, the type and what is taken."""
    source, code, words = BAD[name]
    bad = (source, IMAGE) if side == "original" else (IMAGE, source)
    before, failure, after = small_scorer.score_pairs([(IMAGE, IMAGE), bad, (IMAGE, IMAGE[::-1])])
    assert isinstance(before, PairScore)
    assert isinstance(after, PairScore)
    assert isinstance(failure, PairFailure)
    assert failure.code is code
    assert failure.message.startswith(f"{side}: ")
    assert words in failure.message


@pytest.mark.parametrize(
    ("pair", "got"),
    [
        ("ab", "a str of length 2"),
        (b"ab", "a bytes of length 2"),
        (bytearray(2), "a bytearray of length 2"),
        ((IMAGE,), "a tuple of length 1"),
        ((IMAGE, IMAGE, IMAGE), "a tuple of length 3"),
        (IMAGE, "an array uint8 of shape"),
        (np.uint8(3), "uint8"),
        (np.array(3), "an array int64 of shape ()"),
        (None, "NoneType"),
        ({IMAGE.tobytes(): 1, b"": 2}, "dict"),
        ({1, 2}, "set"),
        (OrderedDict(a=1, b=2), "OrderedDict"),
        (iter([IMAGE, IMAGE]), "list_iterator"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_pair_fails_alone(small_scorer: Scorer, pair: Any, got: str) -> None:
    """A text of two characters is no pair of paths, and a set has no order."""
    failure, score = small_scorer.score_pairs([pair, [IMAGE, IMAGE]])  # type: ignore[list-item]
    assert isinstance(failure, PairFailure)
    assert failure.code is ErrorCode.INVALID_PAIR
    assert f"expected a pair (original, reconstruction), got {got}" in failure.message
    assert isinstance(score, PairScore)


@pytest.mark.parametrize(
    "image",
    [
        Loud(encode(IMAGE)),
        bytearray(encode(IMAGE)),
        memoryview(encode(IMAGE)),
        memoryview(encode(IMAGE)).toreadonly(),
        np.asmatrix(IMAGE[:, :, 0]),
        IMAGE.view(np.memmap),
        np.asfortranarray(IMAGE),
        IMAGE[::-1, ::2],
        np.ma.masked_array(IMAGE),
    ],
    ids=lambda image: type(image).__name__,
)
def test_odd_but_whole_sources_are_scored(small_scorer: Scorer, image: Any) -> None:
    """Views, subclasses and other orders in memory hold a picture as well as another."""
    (score,) = small_scorer.score_pairs([(image, image)])
    assert isinstance(score, PairScore)
    assert score.mse == 0


def test_sources_that_are_made_one_after_the_other_are_kept_apart(small_scorer: Scorer) -> None:
    """A generator's buffers may lie where earlier ones lay; each is read, none is taken for another."""

    def pairs() -> Iterator[tuple[bytearray, bytearray]]:
        for seed in range(12):
            yield bytearray(encode(picture(seed=seed))), bytearray(encode(picture(seed=seed + 1)))

    made = small_scorer.score_pairs(pairs())
    assert made == small_scorer.score_pairs([(bytes(one), bytes(other)) for one, other in pairs()])


def test_equal_images_in_an_array_are_not_mistaken_for_others(small_scorer: Scorer) -> None:
    """An array makes a new row object each time, which may lie where the one before lay."""
    batch = np.stack([IMAGE, IMAGE, picture(seed=1), picture(seed=1), picture(seed=2)])
    np.testing.assert_array_equal(small_scorer.embed(batch), small_scorer.embed(list(batch)))
    assert small_scorer.score_images(batch, batch[::-1]) == small_scorer.score_images(list(batch), list(batch[::-1]))


@pytest.mark.parametrize("wrong", [None, "pairs", b"pairs", 3, Path("pairs")])
def test_pairs_and_images_are_sequences(small_scorer: Scorer, wrong: Any) -> None:
    """A value that cannot be gone through is refused as a whole, with its type."""
    for call in (small_scorer.score_pairs, small_scorer.embed, lambda value: small_scorer.score_images(value, [])):
        with pytest.raises(InvalidPair, match=f"expected a sequence of .*, got {type(wrong).__name__}"):
            call(wrong)


def _kinds(folder: Path) -> list[Any]:
    """One picture as everything that people have."""
    (folder / "a.png").write_bytes(encode(IMAGE))
    tensor = torch.from_numpy(IMAGE.copy())
    encoded = [folder / "a.png", str(folder / "a.png"), encode(IMAGE)]
    return [IMAGE, *encoded, Image.fromarray(IMAGE), Image.open(folder / "a.png"), tensor, tensor.permute(2, 0, 1)]


def test_every_kind_of_image_is_scored_and_embedded_alike(small_scorer: Scorer, tmp_path: Path) -> None:
    """Paths, bytes, arrays, images of Pillow and tensors have one score and one embedding, and grey ones theirs."""
    kinds, grey = _kinds(tmp_path), IMAGE[:, :, 1]
    expected = small_scorer.embed([IMAGE])[0]
    np.testing.assert_array_equal(small_scorer.embed(kinds), [expected] * len(kinds))
    assert {one.mse for one in small_scorer.score_images([IMAGE] * len(kinds), kinds)} == {0}
    assert all(isinstance(one, PairScore) for one in small_scorer.score_pairs([(IMAGE, kind) for kind in kinds]))
    assert {small_scorer.score(IMAGE, kind).distance for kind in kinds} == {0}
    greys = [grey, grey[..., None], torch.from_numpy(grey[None].copy()), Image.fromarray(grey)]
    np.testing.assert_array_equal(small_scorer.embed(greys), [small_scorer.embed([np.dstack([grey] * 3)])[0]] * 4)


@pytest.mark.parametrize(
    ("image", "hint"),
    [
        (None, "expected encoded bytes"),
        (IMAGE / 255, "images_from_tensor"),
        (torch.zeros(3, 8, 8), "images_from_tensor"),
        (torch.zeros(3, 8, 8, dtype=torch.bfloat16), "images_from_tensor"),
        (IMAGE[:, :, :2], "got \\(24, 32, 2\\)"),
        (IMAGE.tolist(), "got list"),
        (Image.fromarray(IMAGE).convert("CMYK"), "got mode CMYK"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_image_is_refused(small_scorer: Scorer, image: Any, hint: str) -> None:
    """``score_images`` and ``embed`` refuse what has no 8-bit levels, and say what makes them."""
    for call in (lambda: small_scorer.score_images([IMAGE], [image]), lambda: small_scorer.embed([image])):
        with pytest.raises(InvalidArray, match=hint):
            call()
    with pytest.raises(EmptyImage):
        small_scorer.embed([IMAGE[:0]])


def test_progress_is_told_step_by_step(small_scorer: Scorer) -> None:
    """Whoever waits hears of each pair that is decoded, and of the images that are embedded, up to the last one."""
    told: list[tuple[str, int, int]] = []
    images = [picture(seed=seed) for seed in range(20)]
    small_scorer.score_pairs([(image, images[0]) for image in images], progress=lambda *step: told.append(step))
    assert told == [("decoding", done, 20) for done in range(1, 21)] + [("embedding", 16, 20), ("embedding", 20, 20)]
    told.clear()
    small_scorer.embed(images[:2], progress=lambda *step: told.append(step))
    assert told == [("decoding", 1, 2), ("decoding", 2, 2), ("embedding", 2, 2)]


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
