"""The way to a service: its address, the token, the certificates, and how long the client waits."""

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import httpx

from semsim.exceptions import InvalidOption

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")


class ConnectionOptions(TypedDict, total=False):
    """The options that every client takes beside the address; :class:`Connection` says what they mean."""

    token: str | None
    ca: Path | str | None
    certificate: Path | str | None
    key: Path | str | None
    timeout: float
    patience: float
    concurrency: int


@dataclass(frozen=True, slots=True)
class Connection:
    """The address of a service, and all that a client needs to talk to it.

    Proxies and credentials of the environment (``HTTPS_PROXY``, ``.netrc``) are not used: private images go to the
    address that is given here, and nowhere else.

    Raises:
        InvalidOption: the address, the token or a number cannot be used.
    """

    url: str
    """``http://`` or ``https://``, host and port; a path where a proxy serves the service below one."""
    token: str | None = field(default=None, repr=False)
    """The bearer token."""
    ca: Path | str | None = None
    """A PEM file of the authorities that may have signed the service's certificate; None = the usual ones."""
    certificate: Path | str | None = None
    """A PEM file of the client's own certificate (mTLS)."""
    key: Path | str | None = None
    """A PEM file of the certificate's key; None where the certificate's file holds it."""
    timeout: float = 60.0
    """The seconds that one attempt may take."""
    patience: float = 120.0
    """The seconds for which a request is tried again: the service is away, overloaded or not ready."""
    concurrency: int = 4
    """The requests that are under way at once."""

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.url)
        except (httpx.InvalidURL, TypeError) as error:
            raise InvalidOption(f"expected the URL of a service, got one that cannot be read: {error}") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise InvalidOption(f"expected a URL http://HOST:PORT or https://HOST:PORT of a service, got {self.url}")
        if url.userinfo or url.query or url.fragment:
            raise InvalidOption("expected a URL without a user, a query and a fragment, got one with them")
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise InvalidOption("expected a token of letters, digits and -._~+/, got other characters or none")
        if self.key is not None and self.certificate is None:
            raise InvalidOption("expected a client certificate with its key, got the key alone")
        if not (self.timeout > 0 and self.patience >= 0 and self.concurrency >= 1):
            raise InvalidOption(
                "expected timeout > 0, patience >= 0 and concurrency >= 1, got "
                f"{self.timeout}, {self.patience}, {self.concurrency}"
            )

    def open(self) -> httpx.AsyncClient:
        """A new HTTP client. Connections are made when they are used.

        Raises:
            InvalidOption: a certificate cannot be read.
        """
        return httpx.AsyncClient(
            base_url=self.url,
            headers={} if self.token is None else {"authorization": f"Bearer {self.token}"},
            verify=self.trust() if httpx.URL(self.url).scheme == "https" else False,
            timeout=httpx.Timeout(self.timeout, connect=min(10.0, self.timeout), pool=None),
            limits=httpx.Limits(max_connections=self.concurrency + 1),
            trust_env=False,
            follow_redirects=False,
        )

    def trust(self) -> ssl.SSLContext:
        """The authorities that are trusted, and the client's own certificate.

        Raises:
            InvalidOption: a certificate cannot be read.
        """
        try:
            if self.ca is None:
                context = httpx.create_ssl_context(trust_env=False)
            else:
                context = ssl.create_default_context(cafile=str(self.ca))
            if self.certificate is not None:
                # The empty password keeps OpenSSL from asking for one on the terminal.
                context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            reason = getattr(error, "strerror", None) or str(error)
            raise InvalidOption(f"expected PEM files of certificates and an unencrypted key, got {reason}") from None
        return context
