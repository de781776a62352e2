"""The garbage collector, set for a process whose objects are many from the start and short-lived from then on."""

import gc

# CPython's own are 700 (2000 from 3.12), 10, 10: under load a full collection every second, each through all objects.
_THRESHOLDS = (50_000, 50, 50)


def tune_collector() -> None:
    """Call once the model is loaded and warm: what is there then stays, and is not looked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
