"""The work of SIGHUP: the parts of the service read their files again."""

import logging
from collections.abc import Callable, Iterable

from semsim.exceptions import InvalidOption

logger = logging.getLogger("semsim.service")


def reload_all(parts: Iterable[Callable[[], None]]) -> None:
    """Reload each part. A part that cannot be reloaded stays as it was, and the log says why."""
    failed = False
    for part in parts:
        try:
            part()
        except InvalidOption as error:
            failed = True
            logger.error("SIGHUP: a part of the service stays as it was: %s", error)
    if not failed:
        logger.info("SIGHUP: the tokens and the certificates were read again")
