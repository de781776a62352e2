"""The HTTP transport: its routes, the three forms of a body, errors, ``/metrics``, ``/`` and the OpenAPI document."""
