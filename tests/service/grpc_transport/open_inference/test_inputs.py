"""The claim of the input tensors of the Open Inference Protocol."""

from semsim.protos.inference import grpc_predict_v2_pb2 as pb
from semsim_service.core.claim import Claim
from semsim_service.grpc_transport.open_inference.inputs import claim_of

HEIGHT, WIDTH = 24, 32
RAW = Claim(3, 3 * 2 * HEIGHT * WIDTH)


def tensor(datatype: str, *shape: int) -> pb.ModelInferRequest.InferInputTensor:
    """An input of this type and shape."""
    return pb.ModelInferRequest.InferInputTensor(datatype=datatype, shape=shape)


def claim(*tensors: pb.ModelInferRequest.InferInputTensor, raw: bool = True) -> Claim:
    """The claim of a request with these inputs, whose contents come as bytes or as numbers."""
    contents = [b""] * len(tensors) * raw
    return claim_of(pb.ModelInferRequest(inputs=tensors, raw_input_contents=contents))


def test_tensors_of_pixels_claim_them() -> None:
    """Files, numbers and nonsense claim only how many pairs they are."""
    pixels = tensor("UINT8", 3, HEIGHT, WIDTH, 3)
    assert claim(pixels, pixels) == RAW
    assert claim(tensor("UINT8", 1, HEIGHT, WIDTH, 3), pixels) == RAW
    assert claim(pixels, pixels, raw=False) == Claim(3)
    assert claim(tensor("BYTES", 3), tensor("BYTES", 3)) == Claim(3)
    assert claim() == claim(tensor("UINT8")) == Claim()
