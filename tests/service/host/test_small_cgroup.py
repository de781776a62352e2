"""The service in a real control group with as little memory as a small container has."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from benchmarks.harness.server import running, semsim_serve
from tests.encoded import encode, picture
from tests.service.live import base64_pair

_MIB = 2**20
_LIMIT = 512 * _MIB
_GROUPS = Path("/sys/fs/cgroup")


@contextmanager
def memory_group(name: str) -> Iterator[Path]:
    """A control group of version 1 or 2 with a memory limit of 512 MiB; skips where this user cannot make one."""
    first = (_GROUPS / "memory").is_dir()
    group = _GROUPS / "memory" / name if first else _GROUPS / name
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"needs a control group of its own: {error.strerror}")
    try:
        limit = group / ("memory.limit_in_bytes" if first else "memory.max")
        if not limit.exists():
            pytest.skip("needs the memory controller of control groups")
        limit.write_text(str(_LIMIT))
        yield group
    finally:
        group.rmdir()


@pytest.mark.slow
def test_a_small_control_group_is_told_and_a_kill_for_its_memory_too(tmp_path: Path) -> None:
    """The start says in a line that requests may take more; a worker or a decoder that the kernel kills is told."""
    with memory_group(f"semsim-{os.getpid()}") as group:
        inside = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh", *semsim_serve()]
        with running(inside, tmp_path) as server:
            line = b"the memory limit of 512 MiB is below the"
            assert server.log.count(line) == 1
            assert "semsim_memory_limit_bytes 5.36870912e+08\n" in httpx.get(f"{server.url}/metrics").text
            small, large = encode(picture()), encode(picture(4096, 4096))
            assert httpx.post(f"{server.url}/score", json={"pairs": [base64_pair(small, small)]}).status_code == 200
            told = (b"for want of memory", b"[out_of_memory]")
            try:
                answer = httpx.post(f"{server.url}/score", json={"pairs": [base64_pair(large, large)]}, timeout=120)
                assert not answer.json()["summary"]["failed"] or any(words in server.log for words in told)
            except httpx.TransportError:  # the worker itself was killed
                assert told[1] in server.log
            server.wait_until_ready()
            assert httpx.post(f"{server.url}/score", json={"pairs": [base64_pair(small, small)]}).status_code == 200
