"""The header by which a request with any body says that it wants no controls."""

from starlette.datastructures import Headers

from semsim.exceptions import InvalidRequest

CONTROLS_HEADER = "x-semsim-controls"
"""``false`` leaves ``chance`` and ``identified`` out of the answer; ``true`` is the default."""
_VALUES = {"true": True, "false": False}


def read_controls(headers: Headers) -> bool:
    """False where the header says so.

    Raises:
        InvalidRequest: the header has another value than true or false.
    """
    value = headers.get(CONTROLS_HEADER, "true").strip().lower()
    if value not in _VALUES:
        raise InvalidRequest("expected a header X-Semsim-Controls: true or false, got another value")
    return _VALUES[value]
