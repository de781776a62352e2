"""How the server listens: its channel options and its certificates."""

import grpc

from semsim_service.settings import Settings, TLSSettings
from semsim_service.tls import check_tls

# A message a little over the limit is read, and refused with a code; a far larger one gRPC refuses by its length.
_SLACK_BYTES = 2**20
# Of one connection; more calls wait at their client. As many as the queue takes by default, so that a client with one
# connection, too, is told when the queue is full.
_STREAMS = 1024
_MINUTE_MS = 60_000


def channel_options(settings: Settings) -> list[tuple[str, int]]:
    """What gRPC is told of the server."""
    return [
        ("grpc.max_receive_message_length", settings.limits.body_bytes + _SLACK_BYTES),
        ("grpc.max_concurrent_streams", _STREAMS),
        # Calls count until the server has forgotten them, a moment after their client has: with this protection, gRPC
        # refuses some of a client's calls (UNAVAILABLE) that keep to the limit. What waits unseen stays bounded.
        ("grpc.http.overload_protection", 0),
        # Workers share the port. A single one must not, or a second service would take half of its calls unnoticed.
        ("grpc.so_reuseport", int(settings.workers > 1)),
        # A client that is gone without a word is noticed within this time, and what it asked for dropped.
        ("grpc.keepalive_time_ms", _MINUTE_MS),
        ("grpc.keepalive_timeout_ms", _MINUTE_MS // 3),
        # Clients may ask for signs of life as often, with no call open, too.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", _MINUTE_MS // 6),
        ("grpc.keepalive_permit_without_calls", 1),
        # Clients come back now and then, and so find replicas that are new. Calls that are open then go on.
        ("grpc.max_connection_age_ms", 10 * _MINUTE_MS),
    ]


def server_credentials(tls: TLSSettings) -> grpc.ServerCredentials | None:
    """The server's certificate, and which clients' it asks for; None = plain text.

    Raises:
        InvalidOption: see :func:`semsim_service.tls.check_tls`.
    """
    check_tls(tls)
    if tls.certificate is None or tls.key is None:
        return None
    client_ca = None if tls.client_ca is None else tls.client_ca.read_bytes()
    return grpc.ssl_server_credentials(
        [(tls.key.read_bytes(), tls.certificate.read_bytes())],
        root_certificates=client_ca,
        require_client_auth=client_ca is not None,
    )
