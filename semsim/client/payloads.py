"""Chunks as the bodies of requests: raw pixels where all images have one size, else their files as multipart."""

import secrets
from dataclasses import dataclass

from semsim.client.chunks import Chunk
from semsim.client.loading import LoadedPair
from semsim.images import RGBImage


@dataclass(frozen=True, slots=True)
class Payload:
    """The body of a request, and what its answer must repeat."""

    body: bytes
    headers: dict[str, str]
    ids: list[str | None]
    """The id of each pair in the answer, in order. Raw pairs have none."""


def payload_of(chunk: Chunk, *, controls: bool = True) -> Payload:
    """The request of a chunk with at least one pair; without ``controls`` its answer identifies nothing."""
    payload = _raw(chunk.pairs) or _multipart(chunk.pairs)
    if not controls:
        payload.headers["x-semsim-controls"] = "false"
    return payload


def _raw(pairs: list[LoadedPair]) -> Payload | None:
    """The raw form: originals, then reconstructions; one original alone where all pairs have the same."""
    originals: list[RGBImage] = []
    reconstructions: list[RGBImage] = []
    for pair in pairs:
        for image, images in ((pair.original, originals), (pair.reconstruction, reconstructions)):
            if image.raw is None:
                return None
            images.append(image.raw)
    shape = originals[0].shape
    if any(image.shape != shape for image in (*originals, *reconstructions)):
        return None
    if all(image is originals[0] for image in originals):
        del originals[1:]
    headers = {
        "content-type": "application/octet-stream",
        "x-semsim-shape": f"{len(pairs)},{shape[0]},{shape[1]}",
        "x-semsim-originals": str(len(originals)),
    }
    return Payload(b"".join(image.tobytes() for image in (*originals, *reconstructions)), headers, [None] * len(pairs))


def _multipart(pairs: list[LoadedPair]) -> Payload:
    """The files of the images; one original alone where all pairs have the same."""
    boundary = secrets.token_hex(16)  # no image holds 128 random bits by chance
    ids = [str(pair.index) for pair in pairs]
    originals = [pair.original for pair in pairs]
    if all(original is originals[0] for original in originals):
        del originals[1:]
    parts = [_part(boundary, "id", pair_id.encode(), is_file=False) for pair_id in ids]
    parts += [_part(boundary, "original", image.file()) for image in originals]
    parts += [_part(boundary, "reconstruction", pair.reconstruction.file()) for pair in pairs]
    body = b"".join([*parts, f"--{boundary}--\r\n".encode()])
    return Payload(body, {"content-type": f"multipart/form-data; boundary={boundary}"}, [*ids])


def _part(boundary: str, name: str, content: bytes, *, is_file: bool = True) -> bytes:
    filename = '; filename="image"' if is_file else ""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'
    return b"".join([head.encode(), content, b"\r\n"])
