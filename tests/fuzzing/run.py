"""Blocks of cases, each of which follows from its kind and its number."""

import faulthandler
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisWarning

from tests.fuzzing.kinds import KINDS, Kind
from tests.fuzzing.world import World, require

BLOCK = 100
"""The cases of a block; those of one block have a seed in common."""
CASE_SECONDS = 5.0
CASE_MIB = 64.0
"""The memory that one case may take, where the system tells: several times what the limits of an image allow."""
_HANGS_AFTER_SECONDS = 120.0
_WIDEST, _LINES = 300, 60
_PROC = Path("/proc/self")
_SETTINGS = settings(
    database=None, deadline=None, report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink], print_blob=False,
)  # fmt: skip


@dataclass
class Counted:
    """One block after its run."""

    cases: int = 0
    seconds: float = 0.0
    """The seconds of the processor, not of the clock: other work on the machine does not count."""
    fault: str = ""
    """The traceback of the smallest case that broke a rule, with the case; empty where none did."""
    what: str = ""
    """The error of that case in a line."""
    longest: float = 0.0
    most_mib: float = 0.0


def run_block(world: World, kind: Kind, number: int, count: int = BLOCK) -> Counted:
    """Try the cases of a block until one breaks a rule."""
    counted = Counted()

    @seed(hash_of(kind.name, number))
    @settings(_SETTINGS, max_examples=count)
    @given(kind.cases)
    def keeps(case: Any) -> None:
        counted.cases += 1
        _forget_peak()
        before, begin = _mib("VmRSS"), time.monotonic()
        kind.rule(world, case)
        seconds, mib = time.monotonic() - begin, _mib("VmHWM") - before
        counted.longest, counted.most_mib = max(counted.longest, seconds), max(counted.most_mib, mib)
        require(seconds < CASE_SECONDS, f"expected an end within {CASE_SECONDS:g} s, got {seconds:.1f} s")
        require(mib < CASE_MIB, f"expected at most {CASE_MIB:g} MiB, got {mib:.0f} MiB")

    faulthandler.dump_traceback_later(_HANGS_AFTER_SECONDS, exit=True)
    begin = time.process_time()
    try:
        with warnings.catch_warnings():  # a warning of NumPy's is the traceback of who turns warnings into errors
            warnings.simplefilter("error", RuntimeWarning)
            warnings.simplefilter("ignore", HypothesisWarning)
            keeps()
    except Exception as error:  # noqa: BLE001  # whatever a case raises is what is looked for
        lines = "".join(traceback.format_exception(error, limit=-6, chain=False)).splitlines()
        counted.fault = "\n".join(line[:_WIDEST] for line in lines[:_LINES])
        counted.what = " ".join(f"{type(error).__name__}: {error}".split())[:_WIDEST]
    finally:
        faulthandler.cancel_dump_traceback_later()
    counted.seconds = time.process_time() - begin
    return counted


def hash_of(name: str, number: int) -> int:
    """The seed of a block, the same in every process."""
    return int.from_bytes(f"{name}/{number}".encode(), "big")


def plan(cases: int) -> Iterator[tuple[Kind, int]]:
    """The blocks of a run, the kinds in turn: the first blocks of a longer run are those of a shorter one."""
    total = sum(kind.share for kind in KINDS)
    done = dict.fromkeys(KINDS, 0)
    for _ in range(-(-cases // BLOCK)):
        kind = min(KINDS, key=lambda one: (done[one] + 1) / (one.share / total))
        yield kind, done[kind]
        done[kind] += 1


def _forget_peak() -> None:
    try:
        (_PROC / "clear_refs").write_text("5")
    except OSError:  # not Linux, or not allowed: the peak is that of the whole process
        return


def _mib(name: str) -> float:
    try:
        status = (_PROC / "status").read_text()
    except OSError:
        return 0.0
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024
