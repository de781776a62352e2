"""The memory limit of a control group, of both versions, as files that the kernel could show."""

from pathlib import Path

import pytest

from semsim_service.observing.cgroup import memory_kills, memory_limit


@pytest.mark.parametrize(
    ("membership", "files", "limit", "kills"),
    [
        ("0::/", {"memory.max": "536870912", "memory.events": "low 0\noom 4\noom_kill 3\n"}, 2**29, 3),
        ("0::/pod/main", {"pod/memory.max": "1000", "pod/main/memory.max": "max"}, 1000, 0),
        (
            "4:memory:/a\n1:cpu:/a",
            {"memory/a/memory.limit_in_bytes": "2000", "memory/a/memory.oom_control": "under_oom 0\noom_kill 2\n"},
            2000,
            2,
        ),
        ("4:memory:/gone", {"memory/memory.limit_in_bytes": "9223372036854771712"}, None, 0),
        ("0::/", {}, None, 0),
    ],
)
def test_the_limit_is_that_of_the_group_and_those_above(
    tmp_path: Path, membership: str, files: dict[str, str], limit: int | None, kills: int
) -> None:
    """The least limit counts, a number that stands for no limit does not, and a group that is not mounted is none."""
    root = tmp_path / "cgroup"
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (tmp_path / "self").write_text(membership)
    assert memory_limit(root, tmp_path / "self") == limit
    assert memory_kills(root, tmp_path / "self") == kills
