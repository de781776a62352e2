"""The files of the pages, read once. Anybody may ask for them, as often as they like."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response

import semsim
from semsim_service.settings import Settings

HEADERS = MappingProxyType(
    {
        "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'",
        "cache-control": "no-cache",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        # Without any referrer browsers would send `Origin: null`, which the front door refuses.
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
)
"""Headers by which a browser loads nothing from elsewhere, runs these files' scripts alone, and asks for news."""

_STATIC = Path(__file__).parent / "static"
_PAGES = {"index.html": "/", "docs.html": "/docs"}
_MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as a browser gets it."""

    body: bytes
    media_type: str
    etag: str

    async def answer(self, request: Request) -> Response:
        """The file, or 304 without it where the browser has it already."""
        headers = {**HEADERS, "etag": self.etag}
        if self.etag in (tag.strip() for tag in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        return Response(self.body, media_type=self.media_type, headers=headers)


def static_files(settings: Settings) -> Mapping[str, StaticFile]:
    """The files by their paths at the service; none where the settings switch the pages off.

    The page shows a field for the token where the settings name one.
    """
    if not settings.http.page:
        return MappingProxyType({})
    return _files(asks_token=bool(settings.auth.token or settings.auth.token_file))


@cache
def _files(*, asks_token: bool) -> Mapping[str, StaticFile]:
    given = {"{version}": semsim.__version__, "{asks-token}": "yes" if asks_token else "no"}
    return MappingProxyType(
        {_address(path): _read(path, given) for path in sorted(_STATIC.rglob("*")) if path.suffix in _MEDIA_TYPES}
    )


def _address(path: Path) -> str:
    name = path.relative_to(_STATIC).as_posix()
    return _PAGES.get(name, f"/page/{name}")


def _read(path: Path, given: Mapping[str, str]) -> StaticFile:
    body = path.read_bytes()
    if path.suffix == ".html":
        for placeholder, value in given.items():
            body = body.replace(placeholder.encode(), value.encode())
    return StaticFile(body, _MEDIA_TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')
