"""Tables that runs write into pages of the documentation."""

import os
import platform
from pathlib import Path

from semsim.exceptions import InvalidOption


def write_between(page: Path, mark: str, text: str) -> None:
    """Replace what stands between two ``<!-- mark -->`` of a page.

    Raises:
        InvalidOption: no such page, or it does not hold the mark twice.
    """
    marker = f"<!-- {mark} -->"
    try:
        parts = page.read_text().split(marker)
    except OSError as error:
        raise InvalidOption(f"expected a page at {page}: {error.strerror}") from error
    if len(parts) != 3:
        raise InvalidOption(f"expected two {marker} marks in {page}, got {len(parts) - 1}")
    page.write_text(f"{parts[0]}{marker}\n{text.strip()}\n{marker}{parts[2]}")


def machine() -> str:
    """The machine that figures come from: architecture, cores, processor, Python."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
