"""Options of grpcio's server, to which the gate passes what callers send."""

from semsim_service.grpc_transport.gate.frame_bounds import MOST_CALLS
from semsim_service.settings import Settings

# A message a little over the limit is read, and refused with a code. gRPC refuses a far larger one by its length.
_SLACK_BYTES = 2**20
_MINUTE_MS = 60_000
# A stream may send so much before anybody reads it. More of it waits at its client.
_UNREAD_BYTES = 2**16 - 1
_METADATA_BYTES = 2**13
_IDENTITY_ONLY = 1
_SETTINGS_MS = 10_000


def channel_options(settings: Settings) -> list[tuple[str, int]]:
    """The options of the server's channels, as gRPC takes them."""
    all_calls = min(settings.grpc.connections * MOST_CALLS, 2**31 - 1)
    return [
        ("grpc.max_receive_message_length", settings.limits.body_bytes + _SLACK_BYTES),
        # More calls of a connection wait at their client. The queue takes as many by default, so that a client with one
        # connection is told when the queue is full.
        ("grpc.max_concurrent_streams", MOST_CALLS),
        # Without these two gRPC widens the window of all streams to up to 64 MiB each, also of those that nobody reads.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _UNREAD_BYTES),
        # Between the two limits that gRPC has by default, it takes some calls and refuses others.
        ("grpc.max_metadata_size", _METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", _METADATA_BYTES),
        # A compressed message of a megabyte may hold a gigabyte. gRPC refuses the call at its header (UNIMPLEMENTED).
        ("grpc.compression_enabled_algorithms_bitset", _IDENTITY_ONLY),
        # A connection must have said its settings in time.
        ("grpc.http2.settings_timeout", _SETTINGS_MS),
        # Past so many calls that no handler has yet, gRPC would end some of them, whoever made them (CANCELLED). All
        # connections together have no more, and the gate keeps those back that are reset at once.
        ("grpc.server.max_pending_requests", all_calls),
        ("grpc.server.max_pending_requests_hard_limit", all_calls),
        # Calls count until the server has forgotten them, a moment after their client has: with this protection, gRPC
        # refuses some of a client's calls (UNAVAILABLE) that keep to the limit. What waits unseen stays bounded.
        ("grpc.http.overload_protection", 0),
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
