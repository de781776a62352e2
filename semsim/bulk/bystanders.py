"""The files that may stand beside images without a word: texts, tables, and what desktops leave behind.

Every other file may hold an image that nobody would see, so that it counts as skipped, and no gate passes.
"""

import mmap
import re
from pathlib import Path

from semsim.exceptions import EmptyImage, InvalidImage, NotAnImage, UnsupportedFormat
from semsim.images.formats import HEAD_BYTES, sniff

_TEXTS = frozenset({
    "", ".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".yaml", ".yml", ".toml", ".ini", ".cfg",
    ".xml", ".html", ".htm", ".css", ".js", ".log", ".py", ".sh",
})  # fmt: skip
"""The suffixes of texts and tables; those of README and .gitignore are empty."""
_LEFT_BY_DESKTOPS = (
    (re.compile(r"\.DS_Store"), b"\x00\x00\x00\x01Bud1"),
    (re.compile(r"\._.+"), b"\x00\x05\x16\x07"),
    (re.compile(r"(?i)(eh)?thumbs\.db"), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    (re.compile(r".+:Zone\.Identifier"), b"[ZoneTransfer]"),
)
"""The names of files of macOS and Windows, and the bytes that begin them."""
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_CONTROL = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f]")
"""The bytes that no text has, but one in UTF-16."""
_IN_BASE64 = re.compile(rb"""data:image/|(?:\A|[\s"',:])(?:iVBORw0KGgo|/9j/[2-4]|UklGR)""")
"""The starts of images in a page or a request: any with its type, or a PNG, JPEG or WebP without."""


def left_by_a_desktop(path: Path) -> bool:
    """True for the files that macOS and Windows leave beside images, by name and content.

    Raises:
        OSError: the file cannot be read.
    """
    return any(name.fullmatch(path.name) and _head(path).startswith(start) for name, start in _LEFT_BY_DESKTOPS)


def why_skipped(path: Path) -> InvalidImage | None:
    """The reason why a regular file without an image's name is skipped; None where it is known to hold no image.

    The numbers of a table are not looked at: they may be pixels, and nothing tells.

    Raises:
        OSError: the file cannot be read.
    """
    head, is_named_as_text = _head(path), path.suffix.lower() in _TEXTS
    if not head:
        return None if is_named_as_text else EmptyImage("expected an image, got 0 bytes")
    try:
        image_format = sniff(head).value
    except UnsupportedFormat as error:
        return error
    except NotAnImage:
        if is_named_as_text:
            return _why_no_text(path, head)
        return NotAnImage("expected PNG, JPEG or WebP, or a text beside them, got a file of no known kind")
    return UnsupportedFormat(
        f"expected a name that ends in .png, .jpg, .jpeg or .webp, got a {image_format} of another name"
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _why_no_text(path: Path, head: bytes) -> InvalidImage | None:
    if head.startswith(_BYTE_ORDER_MARKS):
        characters = path.read_bytes().decode("utf-16", "replace")
        is_text = "\ufffd" not in characters and all(one.isprintable() or one.isspace() for one in characters)
        holds_image = _IN_BASE64.search(characters.encode()) is not None
    else:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            is_text = _CONTROL.search(content) is None
            holds_image = _IN_BASE64.search(content) is not None
    if not is_text:
        return NotAnImage(f"expected the text that a name in {path.suffix or 'no suffix'} promises, got other bytes")
    if holds_image:
        return UnsupportedFormat("expected PNG, JPEG or WebP, got a text with an image in base64")
    return None
