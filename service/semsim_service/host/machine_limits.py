"""Reads what Linux tells of the machine: free memory, the processor quota of control groups, and NVIDIA's driver."""

import re
from contextlib import suppress
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def free_memory(table: Path = Path("/proc/meminfo")) -> int | None:
    """The bytes of memory that programs can still have; None where the system does not tell."""
    with suppress(OSError):
        match = re.search(r"^MemAvailable:\s+(\d+) kB$", table.read_text(), re.MULTILINE)
        return None if match is None else 1024 * int(match[1])
    return None


def cpu_quota(root: Path = _CGROUP) -> float | None:
    """The processors that the control group of a container may use, such as 1.5; None = no quota."""
    with suppress(OSError, ValueError):  # "max" is no number
        quota, period = (root / "cpu.max").read_text().split()
        return int(quota) / int(period)
    with suppress(OSError, ValueError):
        quota = (root / "cpu" / "cpu.cfs_quota_us").read_text()
        period = (root / "cpu" / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else None
    return None


def nvidia_driver(version: Path = Path("/proc/driver/nvidia/version")) -> str | None:
    """The version of NVIDIA's kernel driver; None where it is not loaded."""
    with suppress(OSError):
        match = re.search(r"Kernel Module\D*(\d+(?:\.\d+)+)", version.read_text())
        return "of an unknown version" if match is None else match[1]
    return None
