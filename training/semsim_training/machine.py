"""The machine that figures were measured on."""

import os
import platform
from pathlib import Path


def machine() -> str:
    """The machine in words: architecture, cores, processor, Python."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
