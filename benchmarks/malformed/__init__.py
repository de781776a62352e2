"""Malformed input: everything that is no right request, over HTTP and gRPC; it is refused, and the service goes on."""
