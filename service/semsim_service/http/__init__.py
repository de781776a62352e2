"""The HTTP transport: routes, parsing, errors, OpenAPI."""
