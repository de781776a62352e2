"""The TLS of gRPC's callers, made again from the same files when asked."""

import ssl
from collections.abc import Callable

from semsim.exceptions import InvalidOption
from semsim_service.access.tls import CIPHERS, check_tls
from semsim_service.settings import TLSSettings


class ServerTLS:
    """The server's certificate, and the authority of its clients' certificates. Each handshake takes the newest.

    Args:
        tls: the settings that name them.

    Raises:
        InvalidOption: see :func:`semsim_service.access.tls.check_tls`.
    """

    def __init__(self, tls: TLSSettings) -> None:
        self._tls = tls
        self.context = _make(tls)
        """The context of the next handshake. None = plain text."""

    def reload(self) -> Callable[[], None]:
        """Read the certificates again. Returns what puts them in place.

        Raises:
            InvalidOption: as at the start. Nothing has changed then.
        """
        made = _make(self._tls)
        return lambda: setattr(self, "context", made)


def _make(tls: TLSSettings) -> ssl.SSLContext | None:
    check_tls(tls)
    if tls.certificate is None or tls.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.set_ciphers(CIPHERS)
        context.set_alpn_protocols(["h2"])  # gRPC's clients ask for it
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.client_ca is not None:
            context.load_verify_locations(tls.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:  # a file was exchanged after the check
        raise InvalidOption(f"expected a PEM certificate, its key and authorities, got: {error}") from None
    return context
