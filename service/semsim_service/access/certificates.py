"""The certificates of HTTP, read again when asked, and what certificates say."""

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from semsim.exceptions import InvalidOption


class RenewedContext:
    """The TLS context of a server that keeps the one it was started with, made again from the same files when asked.

    A handshake is all the newest context's. A session that began under an older one is not resumed: its client's
    certificate would not be checked again.
    """

    def __init__(self) -> None:
        self._make: Callable[[], ssl.SSLContext] | None = None
        self._kept = _KeptContext(ssl.PROTOCOL_TLS_SERVER)

    def making(self, create: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
        """``create``, whose context from now on can be made again."""

        def first(*arguments: Any, **options: Any) -> ssl.SSLContext:
            self._make = lambda: create(*arguments, **options)
            self._kept.newest = self._make()
            return self._kept

        return first

    def reload(self) -> Callable[[], None]:
        """Make the context again, if there is one. Returns what puts it in place.

        Raises:
            InvalidOption: a file cannot be used. Nothing has changed then.
        """
        if self._make is None:
            return lambda: None
        try:
            made = self._make()
            return lambda: setattr(self._kept, "newest", made)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise InvalidOption(f"expected a PEM certificate, its key and authorities, got: {error}") from None


class _KeptContext(ssl.SSLContext):
    """The context that a server keeps. asyncio and uvloop ask it for each connection, and it asks the newest one."""

    newest: ssl.SSLContext

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        return self.newest.wrap_bio(*arguments, **options)


def expiry(path: Path) -> float:
    """The time when the first certificate of a PEM file expires, in seconds of ``time.time``.

    Raises:
        InvalidOption: the file holds no certificate.
    """
    try:
        # CPython has no public reader of a certificate that is not a peer's. Its own tests read with this one.
        text = ssl._ssl._test_decode_cert(str(path))["notAfter"]  # type: ignore[attr-defined]
    except (OSError, KeyError) as error:
        raise InvalidOption(f"expected a PEM certificate, got {path}: {error}") from None
    return ssl.cert_time_to_seconds(text)


def certificate_name(certificate: Mapping[str, Any] | None) -> str | None:
    """The name in a client's certificate, as ``SSLObject.getpeercert`` gives it: its common name, or another one."""
    if not certificate:
        return None
    fields = dict(field for group in certificate.get("subject", ()) for field in group)
    others = [value for _, value in certificate.get("subjectAltName", ())]
    return next((str(name) for name in (fields.get("commonName"), *others) if name), None)
