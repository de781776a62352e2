"""The Open Inference Protocol, called by the real tritonclient and by hand."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import grpc
import numpy as np
import pytest

import semsim
from semsim import Scorer
from semsim.exceptions import Unauthenticated
from semsim.protos.inference import grpc_predict_v2_pb2 as pb
from semsim_service.core.metrics import ServiceMetrics
from semsim_service.grpc_transport.open_inference import inputs
from tests.encoded import encode, picture
from tests.service.grpc_transport.open_inference import triton_calls
from tests.service.grpc_transport.running import Running, error_code, running

IMAGES = np.stack([picture(32, 24, seed) for seed in range(6)])
ORIGINALS, RECONSTRUCTIONS = IMAGES[:3], IMAGES[3:]
RAW = {"originals": ORIGINALS, "reconstructions": RECONSTRUCTIONS}
OUTPUTS = [
    *("distance", "leakage", "leakage_low", "leakage_high", "recognizable", "chance", "identified"),
    *("mse", "psnr", "ssim", "lpips", "resized", "error", "status"),
]
_T = TypeVar("_T")
Triton = Callable[..., _T]


@pytest.fixture(scope="module")
def triton() -> Iterator[Callable[..., object]]:
    """Calls a function of ``triton_calls`` in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield lambda work, *arguments, **options: pool.submit(work, *arguments, **options).result(60)


def assert_scores(answer: triton_calls.Arrays, scorer: Scorer, originals: np.ndarray, others: np.ndarray) -> None:
    """The outputs are the library's numbers."""
    expected = scorer.score_images(list(originals), list(others))
    for name in ("distance", "leakage", "chance", "mse", "psnr", "ssim"):
        assert answer[name].dtype == np.float32
        np.testing.assert_allclose(answer[name], [getattr(score, name) for score in expected], rtol=1e-5, atol=1e-5)
    for name in ("recognizable", "identified", "resized"):
        assert answer[name].tolist() == [getattr(score, name) for score in expected]
    assert answer["error"].tolist() == [b""] * len(expected)
    assert answer["status"].tolist() == [b"scored"] * len(expected)


def test_what_the_client_is_told(server: Running, triton: Triton[triton_calls.Described]) -> None:
    """The client learns that the server is live and ready, its model, and the tensors that it takes and gives."""
    facts = triton(triton_calls.describe, server.address, "small")
    assert (facts.live, facts.ready, facts.model_ready, facts.other_ready) == (True, True, True, False)
    assert (facts.server, facts.version, facts.versions) == ("semsim", semsim.__version__, ["0.0.1"])
    assert facts.inputs == {name: ("UINT8", [-1, -1, -1, 3]) for name in ("originals", "reconstructions")}
    assert list(facts.outputs) == OUTPUTS
    assert {kind for kind, _ in facts.outputs.values()} == {"FP32", "INT8", "BYTES"}


def test_raw_tensors(server: Running, calibrated: Scorer, triton: Triton[triton_calls.Arrays]) -> None:
    """A request has N originals or one, of the reconstructions' size or another."""
    answer = triton(triton_calls.infer, server.address, "small", RAW, version="0.0.1")
    assert list(answer) == OUTPUTS
    assert_scores(answer, calibrated, ORIGINALS, RECONSTRUCTIONS)
    one = picture(20, 20, 9)
    answer = triton(
        triton_calls.infer, server.address, "small", {"reconstructions": RECONSTRUCTIONS, "originals": one[None]}
    )
    assert_scores(answer, calibrated, np.stack([one] * 3), RECONSTRUCTIONS)


def test_files(server: Running, calibrated: Scorer, triton: Triton[triton_calls.Arrays]) -> None:
    """Encoded images come as BYTES. A broken one fails alone, with NaN, and psnr of equal images is infinite."""
    files = {name: np.array([encode(image) for image in images], dtype=np.object_) for name, images in RAW.items()}
    answer = triton(triton_calls.infer, server.address, "small", files)
    assert_scores(answer, calibrated, ORIGINALS, RECONSTRUCTIONS)
    files["reconstructions"] = np.array([files["originals"][0], b"text", b""], dtype=np.object_)
    answer = triton(triton_calls.infer, server.address, "small", files)
    assert np.isposinf(answer["psnr"][0])
    for name in ("distance", "leakage", "chance", "mse", "psnr", "ssim"):
        assert np.isnan(answer[name][1:]).all()
    assert answer["recognizable"].tolist() == [1, 2, 2]
    assert answer["identified"].tolist() == [1, 2, 2]
    assert answer["resized"].tolist() == [0, 2, 2]
    assert answer["status"].tolist() == [b"scored", b"failed", b"failed"]
    assert [error.partition(b":")[0] for error in answer["error"]] == [b"", b"not_an_image", b"empty_image"]


def test_requested_outputs(server: Running, triton: Triton[triton_calls.Arrays]) -> None:
    """Only the requested outputs come, in the order asked for."""
    answer = triton(triton_calls.infer, server.address, "small", RAW, outputs=("error", "distance"))
    assert list(answer) == ["error", "distance"]


def test_a_model_without_a_calibration(tight_server: Running, triton: Triton[triton_calls.Arrays]) -> None:
    """Without a calibration leakage is NaN, and recognizable is not known, rather than 0."""
    answer = triton(triton_calls.infer, tight_server.address, "small", RAW)
    assert np.isnan(answer["leakage"]).all()
    assert answer["recognizable"].tolist() == [2, 2, 2]
    assert answer["status"].tolist() == [b"uncalibrated"] * 3
    assert not np.isnan(answer["distance"]).any()


def test_an_original_that_shows_nothing(server: Running, triton: Triton[triton_calls.Arrays]) -> None:
    """A plain original has a distance, no leakage, and a status that says why; the other pair is scored."""
    plain = np.stack([np.full_like(ORIGINALS[0], 90), ORIGINALS[1]])
    answer = triton(triton_calls.infer, server.address, "small", {"originals": plain, "reconstructions": plain})
    assert answer["distance"].tolist() == [0, 0]
    assert np.isnan(answer["leakage"]).tolist() == [True, False]
    assert answer["recognizable"].tolist() == [2, 1]
    assert answer["status"].tolist() == [b"uninformative", b"scored"]


def test_tensors_explain_their_values(server: Running) -> None:
    """The parameter ``values`` of a tensor says what its numbers and words stand for."""
    shape = list(ORIGINALS.shape)
    tensors = [tensor(name, shape, "UINT8", uint_contents=ORIGINALS.ravel().tolist()) for name in RAW]
    outputs = infer(server, *tensors).outputs  # type: ignore[attr-defined]
    explained = {output.name: output.parameters["values"].string_param for output in outputs if output.parameters}
    assert explained.keys() == {"recognizable", "identified", "resized", "status"}
    assert "2: not known" in explained["recognizable"]
    assert all(word in explained["status"] for word in ("scored", "failed", "uninformative", "uncalibrated"))


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"model": "other"}, "NOT_FOUND", "the model small"),
        ({"version": "9.9.9"}, "NOT_FOUND", "version 0.0.1"),
        ({"outputs": ("distance", "other")}, "INVALID_ARGUMENT", "outputs among distance"),
        ({"outputs": ("error", "error")}, "INVALID_ARGUMENT", "each output once"),
        ({"inputs": {"originals": ORIGINALS}}, "INVALID_ARGUMENT", "originals and reconstructions"),
        ({"inputs": RAW | {"originals": ORIGINALS[:2]}}, "INVALID_ARGUMENT", "one original, or one for each"),
        ({"inputs": RAW | {"originals": ORIGINALS[0]}}, "INVALID_ARGUMENT", "[N, H, W, 3]"),
        ({"inputs": RAW | {"originals": ORIGINALS[..., :1]}}, "INVALID_ARGUMENT", "[N, H, W, 3]"),
        ({"inputs": RAW | {"originals": ORIGINALS.astype(np.float32)}}, "INVALID_ARGUMENT", "UINT8 or BYTES"),
        ({"inputs": dict.fromkeys(RAW, np.concatenate([IMAGES] * 50))}, "INVALID_ARGUMENT", "at most 256 pairs"),
    ],
)
def test_refusals(
    server: Running, triton: Triton[triton_calls.Refused], changes: dict[str, object], status: str, words: str
) -> None:
    """A request that does not fit is refused in words that the client shows."""
    arguments = {"model": "small", "inputs": RAW} | changes
    refused = triton(triton_calls.infer, server.address, **arguments)
    assert refused.status == f"StatusCode.{status}"
    assert words in refused.message


def test_the_token(small_scorer: Scorer, metrics: ServiceMetrics, triton: Triton[object]) -> None:
    """ModelInfer asks for the token, and takes it from the client's headers."""

    def authenticate(given: str | None) -> None:
        if given != "Bearer secret":
            raise Unauthenticated("expected a bearer token, got none or another")

    with running(small_scorer, metrics, authenticate=authenticate) as server:
        refused = triton(triton_calls.infer, server.address, "small", RAW)
        assert isinstance(refused, triton_calls.Refused)
        assert refused.status == "StatusCode.UNAUTHENTICATED"
        assert isinstance(triton(triton_calls.infer, server.address, "small", RAW, token="secret"), dict)  # noqa: S106


def test_fields_have_the_published_names_and_numbers(
    triton: Triton[dict[str, dict[str, tuple[int, int, int]]]],
) -> None:
    """The fields of each message are those of the client's."""
    messages = list(pb.DESCRIPTOR.message_types_by_name)
    published = triton(triton_calls.published_fields, messages)
    for name, fields in published.items():
        assert triton_calls.fields_of(pb.DESCRIPTOR.message_types_by_name[name]) == fields


def tensor(name: str, shape: list[int], datatype: str, **contents: object) -> pb.ModelInferRequest.InferInputTensor:
    """An input tensor whose elements, if any, come as typed values."""
    made = pb.ModelInferRequest.InferInputTensor(name=name, shape=shape, datatype=datatype)
    if contents:
        made.contents.CopyFrom(pb.InferTensorContents(**contents))
    return made


def infer(server: Running, *inputs: pb.ModelInferRequest.InferInputTensor, raw: tuple[bytes, ...] = ()) -> object:
    """Call ModelInfer by hand, with inputs that tritonclient does not send."""
    call = server.channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        request_serializer=pb.ModelInferRequest.SerializeToString,
        response_deserializer=pb.ModelInferResponse.FromString,
    )
    return call(pb.ModelInferRequest(model_name="small", inputs=inputs, raw_input_contents=raw))


def test_typed_contents(server: Running, calibrated: Scorer) -> None:
    """Elements as InferTensorContents mean the same as raw ones."""
    shape = list(ORIGINALS.shape)
    answer = infer(
        server,
        tensor("originals", shape, "UINT8", uint_contents=ORIGINALS.ravel().tolist()),
        tensor("reconstructions", [3], "BYTES", bytes_contents=[encode(image) for image in RECONSTRUCTIONS]),
    )
    distances = np.frombuffer(answer.raw_output_contents[0], np.float32)  # type: ignore[attr-defined]
    expected = [score.distance for score in calibrated.score_images(list(ORIGINALS), list(RECONSTRUCTIONS))]
    np.testing.assert_allclose(distances, expected, atol=1e-5)


def test_pixels_as_numbers_are_read_in_a_thread(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small a request claims to be, its numbers may be many, and reading them would hold up the event loop."""
    readers: list[str] = []
    read = inputs._read_numbers

    def noted(*arguments: object) -> bytes:
        readers.append(threading.current_thread().name)
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(inputs, "_read_numbers", noted)
    numbers = {"uint_contents": ORIGINALS[0].ravel().tolist()}
    infer(server, *(tensor(name, [1, 32, 24, 3], "UINT8", **numbers) for name in ("originals", "reconstructions")))
    assert all(name.startswith("decode") for name in readers)
    assert len(readers) == 2


PIXELS = ORIGINALS.tobytes()
SHAPE = list(ORIGINALS.shape)


@pytest.mark.parametrize(
    ("first", "raw", "words"),
    [
        (tensor("originals", SHAPE, "UINT8", uint_contents=[1]), (PIXELS, PIXELS), "got both"),
        (tensor("originals", SHAPE, "UINT8"), (PIXELS,), "each of 2 inputs"),
        (tensor("originals", SHAPE, "UINT8"), (PIXELS[:-1], PIXELS), "expected 6912 bytes"),
        (tensor("originals", SHAPE, "UINT8", uint_contents=[256] * 6912), (), "0..255"),
        (tensor("originals", SHAPE, "UINT8", uint_contents=[256] * 6913), (), "expected 6912 numbers"),
        (tensor("originals", [1, 2**62, 2**62, 3], "UINT8", uint_contents=[1]), (), "numbers for originals"),
        (tensor("originals", [-1, 32, 24, 3], "UINT8"), (PIXELS, PIXELS), "[N, H, W, 3]"),
        (tensor("originals", [3, 2**62, 24, 3], "UINT8"), (PIXELS, PIXELS), "expected"),
        (tensor("originals", [3], "BYTES"), (b"\x05\0\0\0ab", PIXELS), "end within one"),
        (tensor("originals", [3], "BYTES"), (b"\x05\0", PIXELS), "end within one"),
        (tensor("originals", [3], "BYTES"), (b"\x01\0\0\0a", PIXELS), "3 elements"),
        (tensor("reconstructions", SHAPE, "UINT8"), (PIXELS, PIXELS), "originals and reconstructions"),
    ],
)
def test_elements_that_do_not_fit(
    server: Running, first: pb.ModelInferRequest.InferInputTensor, raw: tuple[bytes, ...], words: str
) -> None:
    """Shape, type and elements must agree."""
    second = tensor("reconstructions", SHAPE, "UINT8", **({} if raw else {"uint_contents": list(PIXELS)}))
    with pytest.raises(grpc.RpcError) as caught:
        infer(server, first, second, raw=raw)
    assert (caught.value.code(), error_code(caught.value)) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_request")
    assert words in caught.value.details()
