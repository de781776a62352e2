"""The header by which a request with any body says what it asks of the controls."""

from enum import StrEnum

from starlette.datastructures import Headers

from semsim.exceptions import InvalidRequest

CONTROLS_HEADER = "x-semsim-controls"


class ControlsAsked(StrEnum):
    """The values of the header."""

    NOTHING = "false"
    """``chance`` and ``identified`` are left out of the answer."""
    CHANCE = "true"
    """The default."""
    HISTOGRAM = "histogram"
    """Results have ``controls_histogram``, too."""


def read_controls(headers: Headers) -> ControlsAsked:
    """The value of the header.

    Raises:
        InvalidRequest: the header has another value.
    """
    try:
        return ControlsAsked(headers.get(CONTROLS_HEADER, ControlsAsked.CHANCE).strip().lower())
    except ValueError:
        raise InvalidRequest(
            "expected a header X-Semsim-Controls: false, true or histogram, got another value"
        ) from None
