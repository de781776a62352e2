"""The metric's properties, and its results on real photographs."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from semsim import PairFailure, PairScore, Scorer
from semsim.calibration import CalibrationDraws, LogisticCalibration
from semsim.exceptions import ErrorCode, ImageTooSmall, InvalidPair
from semsim.images import DecodeLimits, Source, decode
from semsim.stages import Stage, StageClock
from semsim.summary import Summary, summarize
from semsim.uninformative.blank_reconstructions import has_few_levels
from tests.artifacts import SIDE, manifest_for, small_graph, write_artifact
from tests.conftest import CPU, IMAGES
from tests.encoded import encode, picture

images = st.tuples(st.integers(13, 24), st.integers(13, 24)).flatmap(lambda size: arrays(np.uint8, (*size, 3)))
pairs = st.lists(st.tuples(images, images), min_size=1, max_size=6)
properties = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def distances(scorer: Scorer, pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Distances of decoded pairs."""
    scores = scorer.score_images([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    return np.array([score.distance for score in scores])


@properties
@given(images)
def test_an_image_is_at_distance_zero_from_itself(small_scorer: Scorer, image: np.ndarray) -> None:
    """distance(x, x) = 0 exactly, with mse 0, infinite psnr and ssim 1."""
    score = small_scorer.score(image, image.copy())
    shows_nothing = score.uninformative  # hypothesis likes plain pictures
    assert score == PairScore(0.0, None, None, 0.0, math.inf, 1.0, False, uninformative=shows_nothing)


@properties
@given(images, images)
def test_distance_is_symmetric_and_not_negative(small_scorer: Scorer, a: np.ndarray, b: np.ndarray) -> None:
    """distance(a, b) = distance(b, a) >= 0."""
    forth, back = distances(small_scorer, [(a, b)])[0], distances(small_scorer, [(b, a)])[0]
    assert forth >= 0
    assert forth == pytest.approx(back, abs=1e-5)


@properties
@given(pairs)
def test_a_batch_is_its_pairs(small_scorer: Scorer, pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Scores do not depend on what else is in the batch."""
    alone = [small_scorer.score(*pair) for pair in pairs]
    together = small_scorer.score_images([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    for one, other in zip(alone, together, strict=True):
        assert other.distance == pytest.approx(one.distance, abs=1e-5)
        assert (other.mse, other.psnr, other.ssim, other.resized) == (one.mse, one.psnr, one.ssim, one.resized)


@properties
@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_pairs_does_not_matter(
    small_scorer: Scorer, pairs: list[tuple[np.ndarray, np.ndarray]], random: object
) -> None:
    """Permuting the pairs permutes the scores."""
    order = list(range(len(pairs)))
    random.shuffle(order)  # type: ignore[attr-defined]
    np.testing.assert_allclose(
        distances(small_scorer, [pairs[i] for i in order]), distances(small_scorer, pairs)[order], atol=1e-5
    )


@properties
@given(images)
def test_a_png_is_its_array(small_scorer: Scorer, image: np.ndarray) -> None:
    """A PNG of an array scores as the array does."""
    other = picture()
    assert small_scorer.score(encode(image), encode(other)) == small_scorer.score(image, other)


def test_batch_size_does_not_matter(small_artifact: Path) -> None:
    """The graph's batch size changes no distance."""
    sources = [(picture(seed=i), picture(seed=i + 50)) for i in range(23)]
    expected = distances(Scorer(small_artifact, providers=CPU), sources)
    for batch_size in (1, 5, 64):
        scorer = Scorer(small_artifact, providers=CPU, batch_size=batch_size)
        np.testing.assert_allclose(distances(scorer, sources), expected, atol=1e-5)
    with pytest.raises(ValueError, match="batch size"):
        Scorer(small_artifact, providers=CPU, batch_size=0)


def test_each_distinct_image_is_embedded_once(small_artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One original with k reconstructions costs k + 1 embeddings, also when it came as k equal files."""
    scorer = Scorer(small_artifact, providers=CPU)
    embedded = _counted(scorer, monkeypatch)
    original = encode(picture())
    results = scorer.score_pairs([(bytes(bytearray(original)), picture(seed=i)) for i in range(1, 9)])
    assert len(results) == 8
    assert embedded == [9]
    scorer.score(picture(), picture())
    assert embedded == [9, 1]


def test_each_file_is_decoded_once(small_scorer: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One original named by k equal paths, and by k equal bytes, is decoded once."""
    decoded: list[object] = []

    def counting(source: Source, *, limits: DecodeLimits) -> np.ndarray:
        decoded.append(source)
        return decode(source, limits=limits)

    monkeypatch.setattr("semsim.pairs.decode", counting)
    content = encode(picture())
    path = tmp_path / "original.png"
    path.write_bytes(content)
    small_scorer.score_pairs([(Path(str(path)), picture(seed=i)) for i in range(5)])
    assert len(decoded) == 1 + 5
    small_scorer.score_pairs([(bytes(bytearray(content)), content) for _ in range(5)])
    assert len(decoded) == 1 + 5 + 1


def _counted(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counts: list[int] = []
    embedder = scorer._embedder
    real: Callable[[np.ndarray], np.ndarray] = embedder.embed

    def embed(batch: np.ndarray, *_: object) -> np.ndarray:
        counts.append(len(batch))
        return real(batch)

    monkeypatch.setattr(embedder, "embed", embed)
    return counts


def test_a_bad_pair_fails_alone(small_scorer: Scorer) -> None:
    """Pairs that cannot be decoded fail at their index with role and code; the others are scored."""
    good = encode(picture()), encode(picture(seed=1))
    tiny = np.zeros((6, 20, 3), dtype=np.uint8)
    results = small_scorer.score_pairs([good, (b"x", good[1]), good, (good[0], b""), (tiny, good[1])])
    assert [type(result) for result in results] == [PairScore, PairFailure, PairScore, PairFailure, PairFailure]
    assert results[0] == results[2]
    failures = [result for result in results if isinstance(result, PairFailure)]
    assert [failure.code for failure in failures] == [
        ErrorCode.NOT_AN_IMAGE,
        ErrorCode.EMPTY_IMAGE,
        ErrorCode.IMAGE_TOO_SMALL,
    ]
    assert [failure.message.partition(":")[0] for failure in failures] == ["original", "reconstruction", "original"]


def test_no_pairs_are_no_scores(small_scorer: Scorer) -> None:
    """No pairs give no scores."""
    assert small_scorer.score_pairs([]) == []
    assert small_scorer.score_images([], []) == []
    assert small_scorer.embed([]).shape == (0, 12)


def test_unequal_counts_and_small_images_are_refused(small_scorer: Scorer) -> None:
    """Lists of different length are refused, and so is an image under SSIM's window."""
    with pytest.raises(ValueError, match="as many"):
        small_scorer.score_images([picture()], [])
    with pytest.raises(ImageTooSmall):
        small_scorer.score(picture(), np.zeros((5, 5, 3), dtype=np.uint8))


def test_without_calibration_nothing_is_invented(small_scorer: Scorer) -> None:
    """A model without a calibration gives None for leakage and recognizable, not a guess."""
    score = small_scorer.score(picture(), picture(seed=1))
    assert score.leakage is None
    assert score.recognizable is None
    summary = summarize([score])
    assert (summary.max_leakage, summary.mean_leakage, summary.recognizable) == (None, None, None)


def test_calibrated_leakage(calibrated_artifact: Path) -> None:
    """Leakage is the calibration of the distance, and recognizable is leakage >= threshold."""
    scorer = Scorer(calibrated_artifact, providers=CPU)
    scores = scorer.score_images([picture()] * 5, [picture(seed=i) for i in range(5)])
    for score in scores:
        assert score.leakage == pytest.approx(1 / (1 + math.exp(2 * score.distance - 1)))
        assert score.recognizable == (score.leakage >= 0.5)
    assert scores[0].recognizable
    summary = summarize(scores)
    leakages = [score.leakage for score in scores if score.leakage is not None]
    assert summary.max_leakage == max(leakages)
    assert summary.mean_leakage == pytest.approx(np.mean(leakages))
    assert summary.recognizable == sum(leakage >= 0.5 for leakage in leakages)
    assert summary.uninformative == 0


def test_a_leakage_lies_in_its_range(tmp_path: Path) -> None:
    """With draws of the calibration each leakage has a range that holds it, and an uninformative pair none."""
    places = (0.0, 1.0, 5.0)
    curves = tuple(tuple(float(np.clip(1 / (1 + math.exp(2 * d - 1 + s)), 0, 1)) for d in places) for s in range(20))
    fields = {"calibration": LogisticCalibration(slope=2, intercept=-1), "threshold": 0.5}
    draws = CalibrationDraws(distances=places, leakages=curves)
    scorer = Scorer(write_artifact(tmp_path / "draws", **fields, calibration_draws=draws), providers=CPU)
    for score in scorer.score_images([picture()] * 3, [picture(seed=i) for i in range(3)]):
        assert score.leakage is not None
        assert score.leakage_low is not None
        assert score.leakage_high is not None
        assert score.leakage_low <= score.leakage <= score.leakage_high
    plain = scorer.score(np.full((32, 32, 3), 90, dtype=np.uint8), picture())
    assert (plain.leakage, plain.leakage_low, plain.leakage_high) == (None, None, None)
    with pytest.raises(ValueError, match="expected draws of a calibration beside the calibration"):
        manifest_for(small_graph(), calibration_draws=draws)


def test_where_no_pair_was_scored_none_is_counted_as_harmless() -> None:
    """A summary of failures alone has no number of recognizable pairs: 0 of them would read as safe."""
    summary = summarize([PairFailure(ErrorCode.EMPTY_IMAGE, "expected an image, got 0 bytes")] * 2)
    assert summary == Summary(2, 2, None, None, recognizable=None, uninformative=0, identified=None)


def test_a_plain_original_is_uninformative(bundled: Scorer, small_scorer: Scorer) -> None:
    """A plain original shows nothing that could leak: it has distances, and no leakage, even against its copy."""
    plain = np.full((32, 32, 3), (200, 30, 90), dtype=np.uint8)
    for scorer in (bundled, small_scorer):
        for reconstruction in (plain, 255 - plain, picture()):
            score = scorer.score(plain, reconstruction)
            assert (score.uninformative, score.leakage, score.recognizable) == ("original", None, None)
            assert math.isfinite(score.distance)
    summary = summarize([bundled.score(plain, plain), bundled.score(IMAGES / "cat.jpg", IMAGES / "cat.jpg")])
    assert (summary.pairs, summary.uninformative, summary.recognizable) == (2, 1, 1)


def _unscaled(image: np.ndarray) -> np.ndarray:
    """Values of 0..1 as levels, with one bright pixel, such as a broken sensor's."""
    levels = (image / 255).round().astype(np.uint8)
    levels[3, 4] = 255
    return levels


def _wrapped(image: np.ndarray) -> np.ndarray:
    """Normalised values of -2..2 as levels: those below 0 become 254 and 255."""
    return ((image / 255.0 - 0.5) / 0.25).round().astype(np.int64).astype(np.uint8)


@pytest.mark.parametrize(
    "spoil",
    [
        np.zeros_like,
        lambda image: np.full_like(image, 128),
        lambda image: (image * 0.05).astype(np.uint8),
        lambda image: (image / 255).round().astype(np.uint8),
        _unscaled,
        _wrapped,
    ],
)
def test_a_blank_reconstruction_is_no_safe_one(
    bundled: Scorer, small_scorer: Scorer, spoil: Callable[[np.ndarray], np.ndarray]
) -> None:
    """A black, plain or unscaled reconstruction has no leakage: a failure of the attack must not read as protection."""
    for path in sorted(IMAGES.glob("*.jpg")):
        image = decode(path)
        for scorer in (bundled, small_scorer):
            score = scorer.score(image, spoil(image))
            assert (score.uninformative, score.leakage, score.recognizable) == ("blank", None, None)
    summary = summarize([score])
    assert (summary.uninformative, summary.recognizable) == (1, None)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.3])
def test_a_dim_reconstruction_is_no_safe_one(bundled: Scorer, small_scorer: Scorer, share: float) -> None:
    """A dim reconstruction is recognizable, or nothing can be told of it: its leakage never reads as protection."""
    for path in sorted(IMAGES.glob("*.jpg")):
        image = decode(path)
        for scorer in (bundled, small_scorer):
            score = scorer.score(image, (image * share).astype(np.uint8))
            assert score.recognizable or (score.uninformative, score.leakage) == ("blank", None)


def test_a_faint_reconstruction_that_is_recognised_leaks(bundled: Scorer) -> None:
    """A faint picture in which the model recognises the original leaks; drawings and dark originals leak by copies."""
    drawing = np.kron(np.indices((4, 4)).sum(axis=0) % 2 * 255, np.ones((16, 16))).astype(np.uint8)
    drawing[:16, 20:] = 255
    dark = (decode(IMAGES / "cat.jpg") // 12).astype(np.uint8)
    for image in (np.repeat(drawing[..., None], 3, axis=2), dark):
        assert bundled.score(image, image.copy()).recognizable
    coffee = decode(IMAGES / "coffee.jpg")
    faint = (coffee * 0.18 + 127 * 0.82).astype(np.uint8)
    assert bundled.score(coffee, faint).recognizable


@pytest.mark.parametrize(
    ("shape", "refused"), [((32, 256), True), ((64, 32), True), ((36, 70), True), ((40, 48), False)]
)
def test_a_sheet_of_pictures_is_no_reconstruction(bundled: Scorer, shape: tuple[int, int], refused: bool) -> None:
    """Several pictures side by side against one original are refused: none of them would be recognised."""
    original, sheet = picture(32, 32), picture(*shape)
    result = bundled.score_pairs([(original, sheet)])[0]
    assert isinstance(result, PairFailure) == refused
    if refused:
        assert (result.code, "sheet" in result.message) == (ErrorCode.INVALID_PAIR, True)
        with pytest.raises(InvalidPair, match=f"{original.shape[1]}x{original.shape[0]}"):
            bundled.score(original, sheet)


@pytest.mark.parametrize(
    "reorder",
    [
        lambda image: image.transpose(2, 0, 1).reshape(image.shape),
        lambda image: image.reshape(3, *image.shape[:2]).transpose(1, 2, 0),
        lambda image: image.transpose(1, 0, 2),
        lambda image: image[:, ::-1],
        lambda image: np.rot90(image),
        lambda image: image[..., ::-1],
        lambda image: 255 - image,
        lambda image: 255 - image[:, ::-1],
        lambda image: 255 - np.rot90(image),
        lambda image: 255 - image[..., ::-1],
        lambda image: np.fft.fftshift(image, axes=(0, 1)),
        lambda image: np.fft.fftshift(image, axes=0),
    ],
)
def test_values_in_another_order_are_no_safe_reconstruction(
    bundled: Scorer, reorder: Callable[[np.ndarray], np.ndarray]
) -> None:
    """A copy that is mirrored, turned, inverted or has its channels elsewhere leaks, or nothing can be told of it."""
    rng = np.random.default_rng(0)
    for path in sorted(IMAGES.glob("*.jpg")):
        image = decode(path)
        for copy in (image, np.clip(image + rng.normal(0, 20, image.shape), 0, 255).astype(np.uint8)):
            score = bundled.score(image, np.ascontiguousarray(reorder(copy)))
            assert score.recognizable or score.uninformative == "reordered"
            assert score.recognizable is not False
        noise = rng.integers(0, 256, image.shape, dtype=np.uint8)
        assert bundled.score(image, np.ascontiguousarray(reorder(noise))).recognizable is False


@pytest.mark.parametrize("channel", range(3))
@pytest.mark.parametrize("others", [0, 128])
def test_one_channel_of_a_copy_is_no_safe_reconstruction(bundled: Scorer, channel: int, others: int) -> None:
    """A copy with two plain channels leaks, or nothing can be told of it; another picture's channel does not leak."""
    paths = sorted(IMAGES.glob("*.jpg"))
    for path, other in zip(paths, paths[1:] + paths[:1], strict=True):
        image, stranger = decode(path), decode(other)
        copy, unrelated = np.full_like(image, others), np.full_like(stranger, others)
        copy[..., channel], unrelated[..., channel] = image[..., channel], stranger[..., channel]
        score = bundled.score(image, copy)
        assert score.recognizable or score.uninformative is not None
        assert bundled.score(image, unrelated).uninformative != "reordered"


@pytest.mark.parametrize("side", [32, 64, 224])
def test_levels_are_counted_in_every_channel(side: int) -> None:
    """A copy without its red has many levels, at every size."""
    image = picture(side, side)
    assert not has_few_levels(image * np.array([0, 1, 1], dtype=np.uint8), image)


def test_a_square_of_a_long_original_is_a_reconstruction(bundled: Scorer) -> None:
    """A network that takes squares makes squares of panoramas."""
    assert isinstance(bundled.score(picture(32, 128), picture(32, 32)), PairScore)


def test_equal_pixels_after_resizing_are_resized_once(small_scorer: Scorer) -> None:
    """An image of the network's size goes in as it is."""
    image = picture(SIDE, SIDE)
    np.testing.assert_array_equal(small_scorer.embed([image]), small_scorer._embedder.embed(image[None]))


def test_the_clock_knows_every_stage(small_scorer: Scorer) -> None:
    """Decode, resize, network and metrics each take a share of the time."""
    clock = StageClock()
    small_scorer.score_pairs([(encode(picture()), encode(picture(seed=1)))], clock=clock)
    assert set(clock.seconds) == set(Stage)
    assert all(seconds > 0 for seconds in clock.seconds.values())


def test_photographs_order_sensibly(bundled: Scorer) -> None:
    """The bundled model gives equal images 0 and copies less than another image, which alone is no leak."""
    cat = IMAGES / "cat.jpg"
    scores = [
        bundled.score(cat, IMAGES / name) for name in ("cat.jpg", "cat_blurred.png", "cat_noise.png", "coffee.jpg")
    ]
    same, blurred, noise, other = (score.distance for score in scores)
    assert same == 0
    assert 0 < blurred < other
    assert 0 < noise < other
    assert [score.recognizable for score in scores] == [True, True, True, False]
    assert (scores[0].leakage or 0) > 0.95


def test_real_images_find_themselves(bundled: Scorer, data: Path) -> None:
    """A mildly degraded copy is nearly always closest to its own original, among 60 real images at 64 px."""
    paths = sorted((data / "caltech101").glob("*/image_0002.jpg"))[:60]
    originals = [decode(path) for path in paths]
    rng = np.random.default_rng(0)
    degraded = [np.clip(image + rng.normal(0, 15, image.shape), 0, 255).astype(np.uint8) for image in originals]
    left, right = bundled.embed(originals), bundled.embed(degraded)
    nearest = np.linalg.norm(left[:, None] - right[None], axis=2).argmin(axis=1)
    assert (nearest == np.arange(len(paths))).mean() >= 0.95


def test_a_network_that_breaks_is_an_error(tmp_path: Path) -> None:
    """NaN from the network is an error, not a score."""
    import onnx
    from onnx import numpy_helper

    from semsim.exceptions import InvalidGraph
    from tests.artifacts import small_graph

    model = onnx.load_from_string(small_graph())
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    weights.CopyFrom(numpy_helper.from_array(np.full((48, 12), np.nan, dtype=np.float32), "weights"))
    scorer = Scorer(write_artifact(tmp_path / "nan", model.SerializeToString()), providers=CPU)
    with pytest.raises(InvalidGraph, match="finite"):
        scorer.score(picture(), picture(seed=1))
