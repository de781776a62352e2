"""A small file system that only one command and its children see."""

import subprocess
from pathlib import Path

import pytest


def on_small_disk(place: Path, options: str, *command: str) -> list[str]:
    """``command`` with a file system of its own at ``place``, which ``options`` of tmpfs describe, such as size=64k.

    Skips the test where this machine gives a user no file system.
    """
    place.mkdir(exist_ok=True)
    mount = f'mount -t tmpfs -o {options} tmpfs "$0" && exec "$@"'
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(place)]
    try:
        tried = subprocess.run([*alone, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare")
    if tried.returncode:
        pytest.skip("needs user namespaces in which one may mount")
    return [*alone, *command]
