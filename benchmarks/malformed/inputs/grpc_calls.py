"""gRPC calls that are wrong: in their bytes, in what these say, in the method, in the metadata."""

from dataclasses import dataclass
from random import Random

from benchmarks.harness.messages import INFER, MODEL, SCORE, STREAM
from benchmarks.malformed.inputs.corpus import Corpus, mutate
from semsim.protos.inference import grpc_predict_v2_pb2 as oip
from semsim.protos.semsim.v1 import scorer_pb2 as pb

_INFERENCE = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata")
_OTHERS = (
    *(MODEL, "/grpc.health.v1.Health/Check"),
    *(f"/inference.GRPCInferenceService/{name}" for name in _INFERENCE),
)
_UNKNOWN = (
    *("/semsim.v1.Scorer/Nothing", "/semsim.v1.Scorer/score", "/semsim.v1.Scorer/", "/semsim.v1.Scorer/Score/x"),
    *("/semsim.v2.Scorer/Score", "/inference.GRPCInferenceService/RepositoryIndex", "/grpc.health.v1.Health/Nothing"),
    *("/x/y", "//", "/", "/" + "m" * 3000 + "/x"),
)
_METADATA: tuple[tuple[str, str | bytes], ...] = (
    *(("authorization", "Bearer " + "t" * 3000), ("authorization", "x")),
    *(("x-request-id", "a b"), ("x-request-id", "r" * 500), ("traceparent", "00-0-0-0"), ("traceparent", "z" * 1000)),
    *(("x-bin", b"\0\xff" * 500), ("x", "y" * 5000), ("retry-after", "1"), ("semsim-error-code", "internal")),
)
_SHAPES: tuple[list[int], ...] = (
    *([1, 8, 8, 3], [1, 8, 8], [-1, 8, 8, 3], [2**62, 2**62, 2**62, 3]),
    *([0], [1], [300], [], [1] * 900),
)
_REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
_UINT32 = 2**32 - 1
_IDS = (None, "", "x", "i" * 300)
OVERSIZE_BYTES = 2**22


@dataclass(frozen=True, slots=True)
class Call:
    """One call: a method, messages, metadata."""

    method: str
    messages: tuple[bytes, ...]
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    streams: bool = False
    seconds: float | None = None


def noise(rng: Random, corpus: Corpus) -> Call:
    """Random bytes to any method."""
    method = rng.choice((SCORE, SCORE, INFER, INFER, *_OTHERS))
    return Call(method, (rng.randbytes(rng.choice((0, 1, 2, 5, 30, 300, 3000))),))


def damaged(rng: Random, corpus: Corpus) -> Call:
    """A right message with bytes changed."""
    if rng.random() < 0.4:
        return Call(INFER, (mutate(rng, rng.choice(corpus.infer_messages)),))
    return Call(SCORE, (mutate(rng, rng.choice(corpus.pair_messages + corpus.batch_messages)),))


def packed(rng: Random, corpus: Corpus) -> Call:
    """Messages that are small on the wire and large when they are read, deep ones, unknown fields, wrong wire types."""
    count = rng.choice((1, 300, 3000, 60_000))
    messages: tuple[bytes, ...] = (
        b"\x0a\x00" * count,  # empty pairs
        b"\x12\x00" * count,  # the same single submessage again and again
        b"\x2a\x00" * count,  # empty inputs
        b"\x1a\x02\x1a\x00" * count,  # empty ids of a batch
        b"\x0b" * min(count, 3000),  # groups that begin and never end
        b"\xfa\xff\xff\xff\x0f\x01x" * min(count, 3000),  # the highest field number
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" * min(count, 3000),
        b"\x0a\xff\xff\xff\xff\x0f",  # a length of 4 GiB
        b"\x0a" + b"\x80" * 11,
    )
    return Call(rng.choice((SCORE, INFER, MODEL)), (rng.choice(messages),))


def tensors(rng: Random, corpus: Corpus) -> Call:
    """Raw images whose numbers do not fit their bytes, or each other."""
    side = rng.choice((0, 1, 6, 7, 8, 70_000, _UINT32))
    pixels = rng.randbytes(rng.choice((0, 1, 192, 191, 193, 384, 600)))
    if rng.random() < 0.5:
        raw = []
        for _ in range(2):
            count, height = rng.choice((0, 1, 2, 300, _UINT32)), rng.choice((8, side))
            raw.append(pb.RawImages(pixels=pixels, count=count, height=height, width=side))
        ids = ["i" * rng.choice((0, 1, 300))] * rng.choice((0, 1, 2, 300))
        batch = pb.RawBatch(originals=raw[0], reconstructions=raw[1], ids=ids)
        extra = [pb.Pair()] if rng.random() < 0.1 else []
        return Call(SCORE, (pb.ScoreRequest(batch=batch, pairs=extra).SerializeToString(),))
    image = pb.Image(raw=pb.RawImage(pixels=pixels, height=rng.choice((8, side)), width=side))
    file = pb.Image(encoded=mutate(rng, rng.choice(corpus.images)))
    choice, images = rng.choice, (image, file, pb.Image(), None)
    pairs = [
        pb.Pair(id=choice(_IDS), original=choice(images), reconstruction=choice(images))
        for _ in range(choice((0, 1, 2, 5, 300)))
    ]
    return Call(SCORE, (pb.ScoreRequest(pairs=pairs, original=choice((image, file, None))).SerializeToString(),))


def inferences(rng: Random, corpus: Corpus) -> Call:
    """Requests of the Open Inference Protocol with other names, types, shapes and contents."""
    choice, tensor = rng.choice, oip.ModelInferRequest.InferInputTensor
    request = oip.ModelInferRequest(model_name=choice((corpus.model, corpus.model, corpus.model, "x", "")))
    request.model_version = choice(("", "", "9", "x"))
    for name in choice((("originals", "reconstructions"), ("originals",), ("originals", "originals"), ("x", "y"), ())):
        kind = choice(("UINT8", "UINT8", "BYTES", "FP32", "", "uint8"))
        shape, numbers, texts = choice(_SHAPES), choice(([1] * 192, [999] * 192, [])), choice(([], [b"x"]))
        contents = oip.InferTensorContents(uint_contents=numbers, bytes_contents=texts)
        request.inputs.append(tensor(name=name, datatype=kind, shape=shape, contents=choice((contents, None))))
        if rng.random() < 0.7:
            request.raw_input_contents.append(choice((rng.randbytes(192), b"", b"\xff\xff\xff\xff", b"\5\0\0\0abc")))
    if rng.random() < 0.3:
        request.outputs.append(oip.ModelInferRequest.InferRequestedOutputTensor(name=choice(("distance", "x", ""))))
    return Call(INFER, (request.SerializeToString(),))


def methods(rng: Random, corpus: Corpus) -> Call:
    """Services and methods that are not there, and right ones with another's message."""
    if rng.random() < 0.5:
        return Call(rng.choice(_UNKNOWN), (rng.choice(corpus.pair_messages),))
    return Call(rng.choice((SCORE, INFER, *_OTHERS)), (rng.choice(corpus.pair_messages + corpus.infer_messages),))


def metadata(rng: Random, corpus: Corpus) -> Call:
    """Odd metadata, and deadlines that are over at once."""
    chosen = tuple(rng.choice(_METADATA) for _ in range(rng.randint(1, 4)))
    message = rng.choice((rng.choice(corpus.batch_messages), b"", b"\xff"))
    return Call(SCORE, (message,), chosen, seconds=rng.choice((None, None, 0.0001, 0.002)))


def streams(rng: Random, corpus: Corpus) -> Call:
    """Streams of wrong requests, and bytes that are no request."""
    messages = []
    for sequence in range(rng.randint(0, 6)):
        inner = pb.ScoreRequest.FromString(rng.choice(corpus.pair_messages + corpus.batch_messages))
        if rng.random() < 0.5:
            inner.ClearField("pairs")
        sent = pb.ScoreStreamRequest(sequence=rng.choice((sequence, 0, 2**64 - 1)), request=inner).SerializeToString()
        messages.append(rng.choice((sent, mutate(rng, sent), b"", rng.randbytes(20))))
    if rng.random() < 0.1:
        return Call(_REFLECTION, (rng.randbytes(20), b""), streams=True)
    return Call(STREAM, tuple(messages), streams=True)


def oversized(rng: Random, corpus: Corpus) -> Call:
    """Messages over the limit: a little, which the service refuses, or so far that gRPC does."""
    return Call(rng.choice((SCORE, INFER)), (b"\x0a" * (rng.choice((1, 2)) * OVERSIZE_BYTES + rng.randint(1, 99)),))
