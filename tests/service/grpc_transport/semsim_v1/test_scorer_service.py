"""``semsim.v1.Scorer`` over a real connection, against the library's own numbers."""

import json
import re

import grpc
import numpy as np
import pytest

import semsim
from semsim import Scorer
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim.scorer import PairScore
from tests.encoded import encode, picture
from tests.service.grpc_transport.conftest import TIGHT
from tests.service.grpc_transport.running import Running, metadata, raw_batch

IMAGES = np.stack([picture(32, 24, seed) for seed in range(6)])
ORIGINALS, RECONSTRUCTIONS = IMAGES[:3], IMAGES[3:]


def assert_equal(result: pb.PairResult, expected: PairScore) -> None:
    """A result holds the library's numbers, absent ones included."""
    scored = result.scored
    assert result.WhichOneof("outcome") == "scored"
    assert scored.distance == pytest.approx(expected.distance, abs=1e-5)
    for name in ("leakage", "psnr", "recognizable", "chance", "identified"):
        value = getattr(expected, name)
        absent = value is None or value == np.inf
        assert scored.HasField(name) is not absent
        if not absent:
            assert getattr(scored, name) == pytest.approx(value, abs=1e-5)
    assert (scored.mse, scored.ssim) == (pytest.approx(expected.mse), pytest.approx(expected.ssim))
    assert scored.resized is expected.resized
    assert scored.uninformative == (expected.uninformative or "")
    assert result.verdict == (pb.VERDICT_RECOGNIZABLE if expected.recognizable else pb.VERDICT_NOT_RECOGNIZABLE)


def raw(image: np.ndarray) -> pb.Image:
    """One image as pixels."""
    return pb.Image(raw=pb.RawImage(pixels=image.tobytes(), height=image.shape[0], width=image.shape[1]))


def test_a_raw_batch(server: Running, calibrated: Scorer) -> None:
    """Two raw tensors give a result for each pair, in order, with ids, the model and a summary."""
    answer = server.scorer.Score(raw_batch(ORIGINALS, RECONSTRUCTIONS, ("a", "b", "c")))
    expected = calibrated.score_images(list(ORIGINALS), list(RECONSTRUCTIONS))
    for result, score in zip(answer.results, expected, strict=True):
        assert_equal(result, score)
    assert [result.id for result in answer.results] == ["a", "b", "c"]
    manifest = calibrated.manifest
    assert (answer.model.name, answer.model.version) == (manifest.name, manifest.version)
    assert answer.model.sha256 == manifest.graph.sha256
    leakages = [score.leakage for score in expected]
    assert (answer.summary.pairs, answer.summary.failed) == (3, 0)
    assert answer.summary.max_leakage == pytest.approx(max(leakages))  # type: ignore[type-var]
    assert answer.summary.mean_leakage == pytest.approx(np.mean(leakages))  # type: ignore[arg-type]
    assert answer.summary.recognizable == sum(score.recognizable is True for score in expected)


def test_one_original_of_another_size(server: Running, calibrated: Scorer) -> None:
    """A single original belongs to every reconstruction, and these are resized to it for the pixel metrics."""
    original = picture(20, 28, 9)
    answer = server.scorer.Score(raw_batch(original[None], RECONSTRUCTIONS))
    for result, score in zip(
        answer.results, calibrated.score_images([original] * 3, list(RECONSTRUCTIONS)), strict=True
    ):
        assert_equal(result, score)
        assert result.scored.resized
        assert not result.HasField("id")


def test_pairs_of_files_and_pixels(server: Running, calibrated: Scorer) -> None:
    """Encoded and raw images of any sizes mix, and one original serves the pairs that bring none."""
    files = [encode(image) for image in ORIGINALS]
    small = picture(16, 16, 11)
    pairs = [
        pb.Pair(id="own", original=pb.Image(encoded=files[0]), reconstruction=raw(small)),
        pb.Pair(id="", reconstruction=pb.Image(encoded=files[1])),
        pb.Pair(reconstruction=raw(ORIGINALS[2])),
    ]
    answer = server.scorer.Score(pb.ScoreRequest(pairs=pairs, original=raw(ORIGINALS[2])))
    expected = calibrated.score_images([ORIGINALS[0], ORIGINALS[2], ORIGINALS[2]], [small, ORIGINALS[1], ORIGINALS[2]])
    for result, score in zip(answer.results, expected, strict=True):
        assert_equal(result, score)
    assert [result.id if result.HasField("id") else None for result in answer.results] == ["own", "", None]
    assert answer.results[2].scored.distance == 0


def test_a_bad_pair_fails_alone(server: Running) -> None:
    """Each way in which a pair can be wrong has its code, at the pair's index. The good pairs are scored."""
    good = raw(ORIGINALS[0])
    file = encode(ORIGINALS[0])
    bad = {
        "cut": (pb.Image(encoded=file[: len(file) // 2]), "truncated_image"),
        "text": (pb.Image(encoded=b"text"), "not_an_image"),
        "empty": (pb.Image(encoded=b""), "empty_image"),
        "neither": (pb.Image(), "invalid_pair"),
        "none": (None, "invalid_pair"),
        "short": (pb.Image(raw=pb.RawImage(pixels=b"abc", height=8, width=8)), "invalid_array"),
        "flat": (pb.Image(raw=pb.RawImage(height=0, width=8)), "invalid_array"),
        "small": (pb.Image(raw=pb.RawImage(pixels=bytes(27), height=3, width=3)), "image_too_small"),
    }
    pairs = [pb.Pair(id=name, original=good, reconstruction=image) for name, (image, _) in bad.items()]
    pairs += [pb.Pair(id=name, original=image, reconstruction=good) for name, (image, _) in bad.items()]
    pairs += [pb.Pair(id="x" * 257, original=good, reconstruction=good), pb.Pair(original=good, reconstruction=good)]
    answer = server.scorer.Score(pb.ScoreRequest(pairs=pairs))
    codes = [result.error.code for result in answer.results]
    assert codes == [code for _, code in bad.values()] * 2 + ["invalid_pair", ""]
    verdicts = [result.verdict for result in answer.results]
    assert verdicts == [pb.VERDICT_FAILED] * 17 + [pb.VERDICT_RECOGNIZABLE]
    assert answer.results[-1].scored.distance == 0
    assert (answer.summary.pairs, answer.summary.failed) == (18, 17)
    assert "reconstruction" in answer.results[0].error.message
    assert "original" in answer.results[8].error.message


def test_a_bad_original_for_all_fails_those_that_need_it(server: Running) -> None:
    """Pairs with an original of their own are scored beside those whose shared one is broken."""
    good = raw(ORIGINALS[0])
    pairs = [pb.Pair(reconstruction=good), pb.Pair(original=good, reconstruction=good)]
    answer = server.scorer.Score(pb.ScoreRequest(pairs=pairs, original=pb.Image()))
    assert [result.error.code for result in answer.results] == ["invalid_pair", ""]


def test_without_a_calibration(tight_server: Running) -> None:
    """Leakage, recognizable and their totals are absent, not zero. So is psnr, for equal images."""
    answer = tight_server.scorer.Score(raw_batch(ORIGINALS[:1], ORIGINALS[:1]))
    scored = answer.results[0].scored
    assert not [name for name in ("leakage", "recognizable", "psnr") if scored.HasField(name)]
    assert answer.results[0].verdict == pb.VERDICT_UNCALIBRATED
    summary = answer.summary
    assert not [name for name in ("max_leakage", "mean_leakage", "recognizable") if summary.HasField(name)]


def test_a_request_may_leave_the_controls_out(server: Running) -> None:
    """Only a field that is false leaves the chance out; one that is absent or true does not."""
    request = raw_batch(ORIGINALS, RECONSTRUCTIONS)
    told = server.scorer.Score(request)
    request.controls = True
    assert server.scorer.Score(request) == told
    assert all(result.scored.HasField("chance") for result in told.results)
    assert told.summary.identified == sum(result.scored.identified for result in told.results)
    request.controls = False
    answer = server.scorer.Score(request)
    assert not any(result.scored.HasField(name) for result in answer.results for name in ("chance", "identified"))
    assert not answer.summary.HasField("identified")


def test_an_original_that_shows_nothing(server: Running) -> None:
    """A plain original has a verdict of its own and no leakage; a summary of such pairs alone has no totals."""
    plain = np.full_like(ORIGINALS[:1], 90)
    answer = server.scorer.Score(raw_batch(plain, plain))
    result, summary = answer.results[0], answer.summary
    assert (result.verdict, result.scored.uninformative) == (pb.VERDICT_UNINFORMATIVE, "original")
    assert not [name for name in ("leakage", "recognizable", "chance") if result.scored.HasField(name)]
    totals = ("max_leakage", "mean_leakage", "recognizable", "identified")
    assert not [name for name in totals if summary.HasField(name)]
    assert (summary.pairs, summary.failed, summary.uninformative) == (1, 0, 1)


def test_where_every_pair_failed_no_number_reads_as_safe(server: Running) -> None:
    """Each verdict says that its pair failed, and the summary has no number of recognizable pairs."""
    answer = server.scorer.Score(pb.ScoreRequest(pairs=[pb.Pair()] * 2))
    assert [result.verdict for result in answer.results] == [pb.VERDICT_FAILED] * 2
    assert answer.summary.failed == 2
    assert not answer.summary.HasField("recognizable")


def test_the_model(tight_server: Running, small_scorer: Scorer) -> None:
    """GetModel tells the manifest, the provider and the limits."""
    answer = tight_server.scorer.GetModel(pb.GetModelRequest())
    assert json.loads(answer.manifest_json) == small_scorer.manifest.model_dump(mode="json")
    assert answer.model.name == "small"
    assert answer.service_version == semsim.__version__
    assert (answer.provider.active, answer.provider.arithmetic) == ("cpu", "fp32")
    assert {name: getattr(answer.limits, name) for name in TIGHT} == TIGHT


@pytest.mark.parametrize(
    ("sent", "taken"), [("run-7.a", True), (None, False), ("no spaces", False), ("x" * 200, False)]
)
def test_metadata_of_an_answer(server: Running, sent: str | None, taken: bool) -> None:
    """A request id is echoed, or a new one is made where it cannot be. The time is told by stage."""
    given = () if sent is None else (("x-request-id", sent),)
    _, call = server.scorer.Score.with_call(raw_batch(ORIGINALS, RECONSTRUCTIONS), metadata=given)
    trailing = metadata(call)
    assert (trailing["x-request-id"] == sent) is taken
    assert re.fullmatch(
        r"decode;dur=\d+\.\d+, queue;dur=\d+\.\d+, inference;dur=\d+\.\d+", str(trailing["server-timing"])
    )
    assert call.code() is grpc.StatusCode.OK
