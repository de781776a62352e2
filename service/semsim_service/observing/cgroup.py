"""Reads the memory limit of this process's control group, and how often the kernel has killed for it."""

from contextlib import suppress
from pathlib import Path

# More than any machine has: version 1 writes no limit as a number of this size.
_NO_LIMIT = 2**60


def memory_limit(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int | None:
    """The least memory limit in bytes of this process's control group and those above it. None = there is no limit.

    Args:
        root: the place where control groups are mounted, of version 1 or 2.
        membership: the file that names the process's group.
    """
    limits = []
    for folder in _folders(root, membership):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):  # "max" is no number
                limits.append(int((folder / name).read_text()))
    return min((limit for limit in limits if limit < _NO_LIMIT), default=None)


def memory_kills(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int:
    """The number of processes that the kernel has killed so far because the group's memory was used up."""
    for folder in _folders(root, membership):
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                for line in (folder / name).read_text().splitlines():
                    word, _, count = line.partition(" ")
                    if word == "oom_kill" and count.strip().isdecimal():
                        return int(count)
    return 0


def _folders(root: Path, membership: Path) -> list[Path]:
    """The folders of the group and of those above it. In a container the group itself is mounted at the root."""
    folders: list[Path] = []
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = ["0::/"]
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" or "memory" in controllers.split(","):
            top = root / "memory" if controllers else root
            group = top / path.lstrip("/")
            folders += [group, *(above for above in group.parents if above.is_relative_to(top))]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]
