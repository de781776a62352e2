"""Checks the certificates of HTTP and gRPC before either server loads them."""

import ssl
from pathlib import Path

from semsim.exceptions import InvalidOption
from semsim_service.settings import TLSSettings

# BentoML's own choice for TLS 1.2, "TLSv1", is CBC and SHA-1 only. The ciphers of TLS 1.3 are not chosen here.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""The ciphers of TLS 1.2, as OpenSSL names them."""
_FILE_BYTES = 2**20


def check_tls(tls: TLSSettings) -> None:
    """Load the files that a server would load.

    Raises:
        InvalidOption: a file is missing or holds something else, or the key belongs to another certificate.
    """
    if tls.certificate is None and tls.key is None:
        if tls.client_ca is not None:
            raise InvalidOption("expected tls.certificate and tls.key beside tls.client_ca, got neither")
        return
    if tls.certificate is None or tls.key is None:
        raise InvalidOption("expected tls.certificate and tls.key together, got one of them")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name, path in (("certificate", tls.certificate), ("key", tls.key), ("client_ca", tls.client_ca)):
        if path is not None:
            _check_readable(name, path)
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_refuse_to_ask)
    except (ssl.SSLError, ValueError):
        raise InvalidOption(
            f"expected a PEM certificate and its key, not encrypted, got {tls.certificate} and {tls.key}"
        ) from None
    if tls.client_ca is not None:
        try:
            context.load_verify_locations(tls.client_ca)
        except ssl.SSLError:
            raise InvalidOption(f"expected tls.client_ca to hold PEM certificates, got {tls.client_ca}") from None


def _check_readable(name: str, path: Path) -> None:
    try:
        with path.open("rb") as file:  # it may be a device, which has no end
            long = len(file.read(_FILE_BYTES + 1)) > _FILE_BYTES
    except OSError as error:
        raise InvalidOption(f"expected tls.{name} to be a readable PEM file, got {path}: {error.strerror}") from None
    if long:
        raise InvalidOption(f"expected tls.{name} to be a PEM file of at most {_FILE_BYTES} bytes, got more: {path}")


def _refuse_to_ask() -> str:
    """Refuse an encrypted key, for whose password OpenSSL would ask the terminal."""
    raise ValueError
