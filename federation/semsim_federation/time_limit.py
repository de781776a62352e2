"""A limit of time for attacks on networks of any size, which may not come to an end of their own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook


class TimeIsOver(BaseException):
    """The limit was reached inside of a network.

    It is no fault of the network, for which code that tries one takes whatever exceptions it raises.
    """


@contextmanager
def time_limit(deadline: float) -> Iterator[None]:
    """Break off whatever calls a layer of a network in this thread after ``deadline``, by ``time.monotonic``.

    A single layer, and a single backward pass, end first.

    Raises:
        TimeIsOver: a layer was called after the deadline.
    """
    thread = threading.get_ident()

    def check(layer: nn.Module, given: Any) -> None:
        if threading.get_ident() == thread and time.monotonic() > deadline:
            raise TimeIsOver(f"the time was over in a layer {type(layer).__name__}")

    hook = register_module_forward_pre_hook(check)
    try:
        yield
    finally:
        hook.remove()
