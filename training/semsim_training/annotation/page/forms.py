"""Reads the forms that the page sends. A form that the page would not send is refused."""

import math
from collections.abc import Collection, Mapping

from starlette.requests import Request

from semsim.exceptions import InvalidRequest

_CLASS = "class:"
_UNRECOGNIZABLE_VALUE = "unrecognizable"


async def read_form(request: Request) -> dict[str, str]:
    """The texts of a form by their names; files are left out."""
    async with request.form(max_files=0, max_fields=10) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def field(form: Mapping[str, str], name: str) -> str:
    """The text of a field.

    Raises:
        InvalidRequest: the form lacks the field.
    """
    if name not in form:
        raise InvalidRequest(f"expected the field {name}, got {', '.join(sorted(form)) or 'no fields'}")
    return form[name]


def whole_number(form: Mapping[str, str], name: str) -> int:
    """The whole number, 0 or more, in a field.

    Raises:
        InvalidRequest: the form lacks the field, or it holds something else.
    """
    text = field(form, name)
    if not text.isdecimal():
        raise InvalidRequest(f"expected {name} as a whole number, got {text[:40]!r}")
    return int(text)


def response_seconds(form: Mapping[str, str]) -> float | None:
    """The response time; ``None`` from a browser that did not take it.

    Raises:
        InvalidRequest: the field holds no number, or a negative one.
    """
    text = form.get("seconds", "")
    try:
        seconds = float(text) if text else None
    except ValueError:
        seconds = math.nan
    if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
        raise InvalidRequest(f"expected seconds as a number from 0, got {text[:40]!r}")
    return seconds


def chosen_class(choice: str, classes: Collection[str]) -> str | None:
    """The class that was chosen, or ``None`` for unrecognizable.

    Raises:
        InvalidRequest: the choice is neither one of ``classes`` nor unrecognizable.
    """
    if choice == _UNRECOGNIZABLE_VALUE:
        return None
    if not choice.startswith(_CLASS) or choice.removeprefix(_CLASS) not in classes:
        raise InvalidRequest(f"expected a class or unrecognizable, got {choice[:80]!r}")
    return choice.removeprefix(_CLASS)
