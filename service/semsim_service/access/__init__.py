"""Access to the service.

``auth`` checks callers' bearer tokens, ``addresses`` the addresses of HTTP and gRPC, ``tls`` the certificates of both.
"""
