"""Checks once that a running service works: it gets ready, refuses strangers and scores. Needs only Python itself.

Environment:
    URL: the service, such as http://host:3000.
    TOKEN_FILE: a file with the bearer token; unset where callers need none.
    CERTIFICATE, KEY: a client's certificate and its key, for mTLS.
    WAIT_SECONDS: the seconds in which the service must get ready, 60 by default.
"""

import base64
import json
import os
import ssl
import struct
import sys
import time
import zlib
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

URL = os.environ["URL"].rstrip("/")
TOKEN_FILE = os.environ.get("TOKEN_FILE")
WAIT_SECONDS = float(os.environ.get("WAIT_SECONDS", "60"))
SIDE = 32
# The service is asked by a name inside the cluster or the machine, which its certificate need not hold.
CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE
if "CERTIFICATE" in os.environ:
    CONTEXT.load_cert_chain(os.environ["CERTIFICATE"], os.environ["KEY"])


def png(level: int) -> bytes:
    """A PNG of SIDE x SIDE pixels, with a ramp that starts at a grey level."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    row = b"\0" + bytes((level + 4 * column) % 256 for column in range(SIDE) for _ in range(3))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(row * SIDE)) + chunk(b"IEND", b"")


def ask(path: str, body: object = None, token: str | None = None) -> tuple[int, bytes]:
    """The status and the body of one answer."""
    request = Request(URL + path, data=None if body is None else json.dumps(body).encode())  # noqa: S310
    request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urlopen(request, timeout=30, context=CONTEXT if URL.startswith("https") else None) as answer:  # noqa: S310
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


def wait_until_ready() -> None:
    """Wait until /readyz answers 200."""
    deadline = time.monotonic() + WAIT_SECONDS
    status: object = None
    while time.monotonic() < deadline:
        try:
            status, _ = ask("/readyz")
            if status == 200:
                return
        except (URLError, OSError) as error:
            status = error
        time.sleep(1)
    sys.exit(f"expected {URL}/readyz to answer 200 within {WAIT_SECONDS:.0f} s, got {status}")


def main() -> None:
    """Check that the service refuses strangers, and scores a pair of equal images and a pair of different ones."""
    wait_until_ready()
    original, other = (base64.b64encode(png(level)).decode() for level in (0, 128))
    body = {"pairs": [{"original": original, "reconstruction": image} for image in (original, other)]}
    token = Path(TOKEN_FILE).read_text().strip() if TOKEN_FILE else None
    if token is not None:
        status, _ = ask("/score", body)
        if status != 401:
            sys.exit(f"expected 401 without a token, got {status}")
    status, answer = ask("/score", body, token)
    if status != 200:
        sys.exit(f"expected 200 from /score, got {status}: {answer[:300].decode(errors='replace')}")
    distances = [result["distance"] for result in json.loads(answer)["results"]]
    if not distances[0] < 1e-3 < distances[1]:
        sys.exit(f"expected the distance 0 of equal images and more of others, got {distances}")
    print(f"{URL} is ready and scores: distances {distances[0]:.4f} and {distances[1]:.4f}")


main()
