"""Chunks as messages of ``semsim.v1``, and its answers as the JSON in which HTTP gives the same."""

import json
from collections.abc import Sequence
from typing import Any

from semsim.client.chunks import Chunk
from semsim.client.loading import LoadedImage
from semsim.exceptions import InvalidAnswer
from semsim.protos.semsim.v1 import scorer_pb2 as pb


def score_request(chunk: Chunk, *, controls: bool) -> tuple[pb.ScoreRequest, list[str | None]]:
    """The request of a chunk with at least one pair, and the id of each pair in its answer; pairs of tensors have none.

    Images go as two tensors where all originals have one size and all reconstructions one. One original alone is sent
    where all pairs have the same.
    """
    originals = [pair.original for pair in chunk.pairs]
    if all(original is originals[0] for original in originals):
        del originals[1:]
    tensors = _tensor(originals), _tensor([pair.reconstruction for pair in chunk.pairs])
    ids: list[str | None]
    if tensors[0] is not None and tensors[1] is not None:
        ids = [None] * len(chunk.pairs)
        request = pb.ScoreRequest(batch=pb.RawBatch(originals=tensors[0], reconstructions=tensors[1]))
    else:
        ids = [str(pair.index) for pair in chunk.pairs]
        request = pb.ScoreRequest(
            pairs=[
                pb.Pair(id=pair_id, reconstruction=_image(pair.reconstruction))
                for pair_id, pair in zip(ids, chunk.pairs, strict=True)
            ]
        )
        if len(originals) == 1:
            request.original.CopyFrom(_image(originals[0]))
        else:
            for pair, original in zip(request.pairs, originals, strict=True):
                pair.original.CopyFrom(_image(original))
    if not controls:
        request.controls = False
    return request, ids


def answer_body(response: pb.ScoreResponse) -> bytes:
    """The body of the answer that ``POST /score`` gives.

    Raises:
        InvalidAnswer: the verdict on a pair contradicts its numbers.
    """
    return json.dumps(
        {"model": _identity(response.model), "results": [_result(result) for result in response.results]}
    ).encode()


def model_body(response: pb.GetModelResponse) -> bytes:
    """The body of the answer that ``GET /model`` gives.

    Raises:
        InvalidAnswer: the manifest is no JSON.
    """
    try:
        manifest = json.loads(response.manifest_json)
    except ValueError:
        raise InvalidAnswer("expected the manifest of a model in JSON, got something else") from None
    limits = {field.name: getattr(response.limits, field.name) for field in pb.Limits.DESCRIPTOR.fields}
    lpips = _identity(response.lpips) if response.HasField("lpips") else None
    return json.dumps(
        {"service_version": response.service_version, "manifest": manifest, "lpips": lpips, "limits": limits}
    ).encode()


def _identity(model: pb.ModelId) -> dict[str, str]:
    return {"name": model.name, "version": model.version, "sha256": model.sha256}


def _tensor(images: Sequence[LoadedImage]) -> pb.RawImages | None:
    """The pixels of images end to end; None where their sizes differ, or a file is sent."""
    pixels = [image.raw for image in images if image.raw is not None]
    if len(pixels) < len(images) or any(one.shape != pixels[0].shape for one in pixels):
        return None
    height, width, _ = pixels[0].shape
    content = b"".join(one.tobytes() for one in pixels)
    return pb.RawImages(pixels=content, count=len(pixels), height=height, width=width)


def _image(image: LoadedImage) -> pb.Image:
    if image.raw is None:
        return pb.Image(encoded=image.encoded)
    height, width, _ = image.raw.shape
    return pb.Image(raw=pb.RawImage(pixels=image.raw.tobytes(), height=height, width=width))


def _result(result: pb.PairResult) -> dict[str, Any]:
    verdict = _verdict(result)
    if result.verdict not in (verdict, pb.VERDICT_UNSPECIFIED):  # unspecified by a service older than verdicts
        names = [pb.Verdict.Name(one) if one in pb.Verdict.values() else one for one in (verdict, result.verdict)]
        raise InvalidAnswer(f"expected {names[0]}, the verdict of the numbers of a pair, got {names[1]}")
    pair_id = {"id": result.id if result.HasField("id") else None}
    if result.HasField("error"):
        return pair_id | {"error": {"code": result.error.code, "message": result.error.message}}
    if not result.HasField("scored"):
        return pair_id
    scored = result.scored
    values = {
        field.name: None if field.has_presence and not scored.HasField(field.name) else getattr(scored, field.name)
        for field in pb.ScoredPair.DESCRIPTOR.fields
    }
    return pair_id | values | {"uninformative": scored.uninformative or None}


def _verdict(result: pb.PairResult) -> int:
    """The verdict that the other fields of a result give."""
    if not result.HasField("scored"):
        return pb.VERDICT_FAILED
    if result.scored.uninformative:
        return pb.VERDICT_UNINFORMATIVE
    if not result.scored.HasField("recognizable"):
        return pb.VERDICT_UNCALIBRATED
    return pb.VERDICT_RECOGNIZABLE if result.scored.recognizable else pb.VERDICT_NOT_RECOGNIZABLE
