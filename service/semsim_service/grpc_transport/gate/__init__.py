"""The gate: it listens for gRPC's callers, bounds what each of them may cost, and passes the rest to grpcio.

grpcio holds a call to its limits once its client has acknowledged them, which the client need not do: until then a
frame of some kilobytes may stand for sixteen megabytes of headers, and is answered by a list of them. Nor does grpcio
bound calls that are reset as soon as they have begun. So the gate follows the frames of each connection (RFC 9113),
without reading their content. It ends TLS, too, since nobody can follow frames under it.
"""
