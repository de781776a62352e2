"""Options of the server: its channels and its certificates."""

import resource
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from semsim.exceptions import InvalidOption
from semsim_service.access.certificates import CertificateFiles, read_certificates
from semsim_service.settings import Settings, TLSSettings

# A message a little over the limit is read, and refused with a code. gRPC refuses a far larger one by its length.
_SLACK_BYTES = 2**20
# The calls of one connection; more of them wait at their client. The queue takes as many by default, so that a client
# with one connection is told when the queue is full.
_STREAMS = 1024
_MINUTE_MS = 60_000
# A stream may send so much before anybody reads it. More of it waits at its client.
_UNREAD_BYTES = 2**16 - 1
_METADATA_BYTES = 2**13
_IDENTITY_ONLY = 1
_HANDSHAKE_MS = 10_000
_TRIED = "127.0.0.1:0"


def channel_options(settings: Settings) -> list[tuple[str, int]]:
    """The options of the server's channels, as gRPC takes them."""
    return [
        ("grpc.max_receive_message_length", settings.limits.body_bytes + _SLACK_BYTES),
        ("grpc.max_concurrent_streams", _STREAMS),
        # Without these two gRPC widens the window of all streams to up to 64 MiB each, also of those that nobody reads.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _UNREAD_BYTES),
        # Between the two limits that gRPC has by default, it takes some calls and refuses others.
        ("grpc.max_metadata_size", _METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", _METADATA_BYTES),
        # A compressed message of a megabyte may hold a gigabyte. gRPC refuses the call at its header (UNIMPLEMENTED).
        ("grpc.compression_enabled_algorithms_bitset", _IDENTITY_ONLY),
        # More connections are closed at once. A connection must have done its handshake and said its settings in time.
        ("grpc.max_allowed_incoming_connections", min(settings.grpc.connections, _most_connections())),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
        ("grpc.http2.settings_timeout", _HANDSHAKE_MS),
        # Calls count until the server has forgotten them, a moment after their client has: with this protection, gRPC
        # refuses some of a client's calls (UNAVAILABLE) that keep to the limit. What waits unseen stays bounded.
        ("grpc.http.overload_protection", 0),
        # Several workers share the port. A single worker must not, or a second service would take half of its calls
        # unnoticed.
        ("grpc.so_reuseport", int(settings.workers > 1)),
        # A client that is gone without a word, or reads nothing, is noticed in this time, and its calls are dropped.
        ("grpc.keepalive_time_ms", _MINUTE_MS // 3),
        ("grpc.keepalive_timeout_ms", _MINUTE_MS // 6),
        ("grpc.http2.ping_timeout_ms", _MINUTE_MS // 6),
        # Clients may ask for signs of life at this interval, also with no call open.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", _MINUTE_MS // 6),
        ("grpc.keepalive_permit_without_calls", 1),
        # Clients connect again at this interval, and so find new replicas. Open calls go on.
        ("grpc.max_connection_age_ms", 10 * _MINUTE_MS),
    ]


def _most_connections() -> int:
    """A quarter of the descriptors of this process, so that HTTP has some, however many come over gRPC."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _STREAMS if descriptors == resource.RLIM_INFINITY else max(1, descriptors // 4)


class RenewedCredentials:
    """The server's certificate, and the authority of its clients' certificates. Each handshake takes the newest.

    Args:
        tls: the settings that name them.

    Raises:
        InvalidOption: see :func:`semsim_service.access.tls.check_tls`, or gRPC cannot use the files.
    """

    def __init__(self, tls: TLSSettings) -> None:
        self._tls = tls
        self._newest = _read(tls)

    def reload(self) -> None:
        """Read the certificates again. Those before stay where this fails.

        Raises:
            InvalidOption: as at the start.
        """
        self._newest = _read(self._tls)

    def make(self) -> grpc.ServerCredentials | None:
        """The credentials of a server. None = plain text."""
        if self._newest is None:
            return None
        required = self._newest.client_ca is not None
        return grpc.dynamic_ssl_server_credentials(self._configuration(), self._configuration, required)

    def _configuration(self) -> Any:
        files = self._newest
        if files is None:
            return None
        return grpc.ssl_server_certificate_configuration([(files.key, files.certificate)], files.client_ca)


def _read(tls: TLSSettings) -> CertificateFiles | None:
    """The files, tried with gRPC's own TLS: it knows fewer kinds of keys than OpenSSL, and says nothing of the others.

    It does so at the start of a server alone. So one is started for a moment, on loopback, that has no method.
    """
    files = read_certificates(tls)
    if files is not None:
        server, pair = grpc.server(ThreadPoolExecutor(1)), (files.key, files.certificate)
        required = files.client_ca is not None
        try:
            server.add_secure_port(_TRIED, grpc.ssl_server_credentials([pair], files.client_ca, required))
        except RuntimeError:
            paths = ", ".join(str(path) for path in (tls.certificate, tls.key, tls.client_ca) if path is not None)
            raise InvalidOption(f"expected PEM files of kinds that gRPC can use, got {paths}") from None
        server.start()
        server.stop(None).wait()
    return files
