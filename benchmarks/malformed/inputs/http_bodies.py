"""HTTP requests that are whole and in order as HTTP, and wrong in what they carry. Each is due an answer."""

import base64
import io
import json
from copy import deepcopy
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.harness.damaged_pictures import damages, with_metadata
from benchmarks.harness.messages import BOUNDARY, JSON_TYPE, MULTIPART_TYPE, OCTETS_TYPE, request_bytes
from benchmarks.harness.questions import JPEG, PNG, Mark, encode
from benchmarks.malformed.inputs.corpus import Corpus, mutate
from semsim.images.png_chunks import write_chunk

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1e308, 10**400),
    *("", "x", "\ud800", "\0", "é" * 300, "data:image/png;base64,AA=="),
    *([], {}, [[]], [None], {"x": {}}),
)
_TYPES = (
    *("", ";", "*/*", "\xff", "text/plain", "image/png", "application/x-www-form-urlencoded"),
    *("application/JSON", "application/json, application/json", "application/json;charset=utf-16"),
    *("application/octet-stream; x=1", "multipart/form-data", "multipart/mixed; boundary=x"),
    *("multipart/form-data; boundary=", "multipart/form-data; boundary=" + "b" * 500),
    "multipart/form-data; charset=latin-1; boundary=b",
)
_METHODS = ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND")
FORGED = "FORGED-LOG-LINE"
"""A forged log line, which must never begin a line of the service's log."""
_PATHS = (
    *("/", "*", "http://other/score", "/%ff%fe", "/" + "a" * 6000),
    *("//score", "/score/", "/score;x", "/SCORE", "/score#x", "/score%00", "/score%0d%0a" + FORGED),
    *("/score?x=" + "y" * 3000, "/readyz?x", "/model/x", "/metrics/x"),
    *("/../score", "/score/../model", "/docs.json/..", "/%2e%2e/%2e%2e/etc/passwd"),
)
_HOSTS = ("evil.example", "localhost.evil.example:3000", "10.0.0.1", "0.0.0.0:3000", "user@127.0.0.1", "2130706433")
_ORIGINS = ("http://evil.example", "null", "", "http://localhost:8080", "http://localhost.evil.example", "localhost")
_UNSERVED = ("/schema.json", "/static_content/x", "/static_content/", "/v2/score", "/page/", "/score/submit")
_ODD_HEADERS = {
    "Content-Encoding": ("gzip", "identity", "br, gzip", "x" * 300),
    "X-Request-Id": ("", "a b", "x" * 200, "\xff", '"}'),
    "Authorization": ("Bearer", "Basic eDp4", "Bearer " + "t" * 4000, "\xe9"),
    "Expect": ("100-continue", "nothing"),
    "Traceparent": ("00-0-0-0", "00-" + "f" * 32 + "-" + "f" * 16 + "-ff", "x"),
    "Accept": ("text/html", "x/y;q=z"),
    "Range": ("bytes=0-1",),
}
_DISPOSITIONS = (
    *('name="original"; filename="o"', 'name="reconstruction"; filename="r"', 'name="x"; filename="x"'),
    *('name="original"; filename=""', "name=\"original\"; filename*=utf-8''%ff", "name=original; filename=o"),
    *('name="original"', 'name="id"', 'name=""', "", 'name="' + "n" * 2000 + '"'),
)
_PART_HEADERS = (
    *("", "Content-Type: text/plain\r\n", "Content-Transfer-Encoding: base64\r\n"),
    *("X: " + "y" * 3000 + "\r\n", "\0: x\r\n", " folded\r\n"),
)
_SHAPES = (*("", ",,", "1,8,8\t", "1e0,8,8", "٣,8,8", "0x1,8,8", "1,8,8;", "1 8 8"), *(f"{10**30},8,8", "9" * 3000))
_FOREIGN = (b"GIF89a", b"II*\0", b"\0\0\0\x0cJXL \r\n\x87\n", b"qoif", b"DDS ", b"\x93NUMPY", b"8BPS")
"""The first bytes of files of other formats."""
WANTED = "wanted: "
"""The start of a pair's id that says what the pair must come to."""
WANTED_HEADER = "X-Wanted"
"""The header of a request that says what its answer must be: a status and a code, of one or more."""
_INVALID = "400 invalid_request"
_DEEP = 20_000
_MANY = 3000


def json_damaged(rng: Random, corpus: Corpus) -> bytes:
    """A JSON document with bytes changed."""
    return _json(mutate(rng, json.dumps(rng.choice(corpus.documents)).encode()))


def json_reshaped(rng: Random, corpus: Corpus) -> bytes:
    """A JSON document of another shape: values of other kinds, keys that are missing or unknown."""
    document = deepcopy(rng.choice(corpus.documents))
    for _ in range(rng.randint(1, 3)):
        place: Any = rng.choice([document, *document["pairs"]]) if isinstance(document.get("pairs"), list) else document
        if not isinstance(place, dict) or not place:
            break
        key = rng.choice([*place, "x"])
        if rng.random() < 0.3:
            place.pop(key, None)
        else:
            place[key] = rng.choice(_VALUES)
    return _json(json.dumps(document).encode())


def json_odd(rng: Random, corpus: Corpus) -> bytes:
    """JSON at the edges: depth, numbers, encodings, many pairs, long names, no document at all."""
    good = json.dumps(rng.choice(corpus.documents)).encode()
    empty = b'{"original":"","reconstruction":""}'
    bodies = (
        *(b"", b'{"pairs":NaN,"pairs":Infinity}', good.replace(b'"id": "', b'"id": "\\ud800\\u0000')),
        *(good + good, b"\xef\xbb\xbf" + good, good.decode().encode("utf-16")),
        *(b"[" * rng.randint(1, _DEEP), b'{"pairs":' * rng.randint(1, _DEEP // 10) + b"}"),
        b'{"pairs":[' + b",".join([empty] * rng.randint(257, _MANY)) + b"]}",
        *(b'{"pairs":[' + b"," * rng.randint(1, _MANY) + b"]}", b'{"pairs":' + b"9" * rng.randint(1, 5000) + b"}"),
        b'{"' + b"k" * rng.randint(1, 5000) + b'":0,' + good[1:],
        *(good.replace(b'"id": "', b'"id": "' + b"i" * rng.randint(250, 600)), rng.randbytes(rng.randint(1, 400))),
    )
    return _json(rng.choice(bodies))


def json_doubled(rng: Random, corpus: Corpus) -> bytes:
    """A right JSON document in which a key comes twice, as it is or escaped: it is refused."""
    key = rng.choice(("pairs", "id", "original", "reconstruction"))
    again = rng.choice((key, f"\\u{ord(key[0]):04x}{key[1:]}"))
    doubled = f'"{again}": {json.dumps(rng.choice(_VALUES))}, "{key}"'
    text = json.dumps(rng.choice(corpus.documents)).replace(f'"{key}"', doubled, rng.randint(1, 2))
    return _json(text.encode(), **{WANTED_HEADER: _INVALID})


def base64_odd(rng: Random, corpus: Corpus) -> bytes:
    """Images in what is not quite base64."""
    text = base64.b64encode(rng.choice(corpus.images)).decode()
    at = rng.randrange(len(text))
    texts = (
        *(text[:at] + rng.choice("-_!é\\ =\0") + text[at:], text[:at], text.rstrip("=") + "=" * rng.randint(1, 5)),
        *("\n".join(text[i : i + 4] for i in range(0, len(text), 4)), text.translate(str.maketrans("+/", "-_"))),
        text[::-1],
    )
    pair = {"original": rng.choice(texts), "reconstruction": rng.choice(texts), "id": str(at)}
    return _json(json.dumps({"pairs": [pair] * rng.randint(1, 3)}).encode())


def multipart_damaged(rng: Random, corpus: Corpus) -> bytes:
    """A multipart form with bytes changed."""
    return request_bytes({"Content-Type": MULTIPART_TYPE}, mutate(rng, rng.choice(corpus.forms)))


def multipart_odd(rng: Random, corpus: Corpus) -> bytes:
    """Multipart at the edges: parts missing, unknown, doubled, without names, with odd headers."""
    image, body = rng.choice(corpus.images), b""
    for _ in range(rng.choice((0, 1, 2, 3, 5, 40))):
        head = f"Content-Disposition: form-data; {rng.choice(_DISPOSITIONS)}\r\n{rng.choice(_PART_HEADERS)}\r\n"
        content = rng.choice((image, b"", b"x", b"\xff\xfe"))
        body += b"--" + BOUNDARY + b"\r\n" + head.encode("latin-1") + content + b"\r\n"
    end = rng.choice((b"--\r\n", b"--", b"", b"--\r\nepilogue--"))
    content_type = rng.choice((MULTIPART_TYPE, MULTIPART_TYPE.upper(), MULTIPART_TYPE + "; charset=utf-16"))
    return request_bytes({"Content-Type": content_type}, body + b"--" + BOUNDARY + end)


def multipart_boundaries(rng: Random, corpus: Corpus) -> bytes:
    """Hundreds of kilobytes of boundary lines, with nothing between them, or two right forms end to end."""
    lines = (b"--" + BOUNDARY + b"\r\n") * rng.randint(8_000, 30_000) + b"--" + BOUNDARY + b"--\r\n"
    body = rng.choice((lines, rng.choice(corpus.forms) + rng.choice(corpus.forms)))
    return request_bytes({"Content-Type": MULTIPART_TYPE, WANTED_HEADER: _INVALID + "|413 too_many_pairs"}, body)


def image_damaged(rng: Random, corpus: Corpus) -> bytes:
    """A right request with a damaged image beside a sound one."""
    good, bad = rng.choice(corpus.images), mutate(rng, rng.choice(corpus.images))
    return _pairs(*[("", good, bad), ("", bad, good)][: rng.randint(1, 2)])


def image_judged(rng: Random, corpus: Corpus) -> bytes:
    """A right pair whose id says what it comes to: damage that looks whole, another format, a colour, a sheet."""
    good, png = rng.choice(corpus.images), next(one for one in corpus.images if one.startswith(b"\x89PNG"))
    plain = encode(np.full((24, 24, 3), rng.randrange(256), np.uint8), PNG, Mark(b""))
    sheet = encode(np.full((16, rng.randint(64, 400), 3), 90, np.uint8), PNG, Mark(b""))
    damaged, whole = rng.choice(damages(good)), rng.choice((good, with_metadata(png, rng.choice((9, 1_100_000)))))
    wanted, *pair = rng.choice((
        *(("truncated_image|corrupt_image", png, damaged), ("truncated_image|corrupt_image", damaged, png)),
        ("unsupported_format", good, rng.choice(_FOREIGN) + bytes(40)),
        *(("uninformative", plain, good), ("uninformative", good, plain), ("invalid_pair", good, sheet)),
        ("scored|uninformative", whole + rng.randbytes(40), good),
    ))  # fmt: skip
    return _pairs((WANTED + wanted, pair[0], pair[1]))


def image_laborious(rng: Random, corpus: Corpus) -> bytes:
    """A pair whose pictures are small files of much work: very many scans or chunks, or very long or high."""
    good, png = rng.choice(corpus.images), next(one for one in corpus.images if one.startswith(b"\x89PNG"))
    match rng.randrange(3):
        case 0:
            buffer = io.BytesIO()
            Image.new("RGB", (512, 512)).save(buffer, JPEG, progressive=True)
            whole = buffer.getvalue()
            scan = whole[whole.rindex(b"\xff\xda") : -2]
            return _pairs((WANTED + "corrupt_image", good, whole[:-2] + scan * rng.randint(33, 5000) + b"\xff\xd9"))
        case 1:
            chunks = write_chunk(b"tEXt", b"") * rng.randint(2**14, 2**15)
            return _pairs((WANTED + "corrupt_image", png[:33] + chunks + png[33:], good))
    wanted, length = rng.choice((("uninformative", 60_000), ("too_many_pixels", 300_000)))
    shape = rng.choice(((16, length, 3), (length, 16, 3)))
    first, second = (encode(np.full(shape, rng.randrange(256), np.uint8), PNG, Mark(b"")) for _ in range(2))
    return _pairs((WANTED + wanted, first, second))


def tensor_wrong(rng: Random, _: Corpus) -> bytes:
    """Raw images whose shape, length or headers do not fit."""
    n, h, w = rng.choice((0, 1, 2, 300)), rng.choice((0, 1, 6, 7, 8, 70000)), rng.choice((1, 7, 8, 10**9))
    size = min(2 * n * h * w * 3, 4000) + rng.choice((-1, 0, 0, 1, 3, 100))
    fitting = (f"{n},{h},{w}", f"{n},{h}", f"{n},{h},{w},3", f" {n} , {h} , {w} ", f"-1,{h},{w}")
    shape = rng.choice((*fitting, *_SHAPES))
    headers = {"Content-Type": OCTETS_TYPE, "X-Semsim-Shape": shape.encode().decode("latin-1")}
    if rng.random() < 0.3:
        headers["X-Semsim-Originals"] = rng.choice(("1", "0", "-1", "2", "x", "", "1,1", "9" * 200))
    if rng.random() < 0.05:
        del headers["X-Semsim-Shape"]
    return request_bytes(headers, rng.randbytes(max(0, size)))


def headers_odd(rng: Random, corpus: Corpus) -> bytes:
    """Other methods, paths and content types, and odd values of the headers that the service reads."""
    body = json.dumps(rng.choice(corpus.documents)).encode()
    headers = {"Content-Type": rng.choice(_TYPES) if rng.random() < 0.6 else JSON_TYPE}
    for name in rng.sample(sorted(_ODD_HEADERS), rng.randint(0, 3)):
        headers[name] = rng.choice(_ODD_HEADERS[name])
    method = rng.choice(_METHODS) if rng.random() < 0.3 else "POST"
    path = rng.choice(_PATHS) if rng.random() < 0.4 else rng.choice(("/score", "/model"))
    return request_bytes(headers, b"" if method in ("GET", "TRACE") else body, method=method, path=path)


def front_door(rng: Random, corpus: Corpus) -> bytes:
    """A right request by another's name or from another's page, with two tokens, or for what is not documented."""
    body, refused = json.dumps(rng.choice(corpus.documents)).encode(), "403 forbidden"
    match rng.randrange(4):
        case 0:
            return _json(body, **{WANTED_HEADER: refused}).replace(b"localhost", rng.choice(_HOSTS).encode(), 1)
        case 1:
            return _json(body, **{WANTED_HEADER: refused, "Origin": rng.choice(_ORIGINS)})
        case 2:
            tokens = {"Authorization": "Bearer x", "authorization": rng.choice(("Bearer x", "Bearer y", ""))}
            return _json(body, **{WANTED_HEADER: _INVALID, **tokens})
    return request_bytes({WANTED_HEADER: "404 not_found"}, b"", method="GET", path=rng.choice(_UNSERVED))


def _json(body: bytes, **headers: str) -> bytes:
    return request_bytes({"Content-Type": JSON_TYPE, **headers}, body)


def _pairs(*pairs: tuple[str, bytes, bytes]) -> bytes:
    """A request with the ids, originals and reconstructions of some pairs."""
    texts = ((name, *(base64.b64encode(image).decode() for image in images)) for name, *images in pairs)
    named = [dict(zip(("id", "original", "reconstruction"), text, strict=True)) for text in texts]
    return _json(json.dumps({"pairs": named}).encode())
