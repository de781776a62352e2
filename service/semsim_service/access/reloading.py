"""The work of SIGHUP: the parts of the service read their files again."""

import logging
from collections.abc import Callable, Iterable

from semsim.exceptions import InvalidOption

logger = logging.getLogger("semsim.service")


Reload = Callable[[], Callable[[], None] | None]
"""Reads a part's files again. Returns what puts them in place, or None where that is done."""


def reload_all(groups: Iterable[tuple[Reload, ...]]) -> None:
    """Reload each group of parts. Where one of its parts fails, a group stays as it was, and the log says why."""
    failed = False
    for group in groups:
        try:
            put_in_place = [part() for part in group]
        except InvalidOption as error:
            failed = True
            logger.error("SIGHUP: a part of the service stays as it was: %s", error)
            continue
        for put in put_in_place:
            if put is not None:
                put()
    if not failed:
        logger.info("SIGHUP: the tokens and the certificates were read again")
