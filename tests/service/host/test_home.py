"""Each server has a BENTOML_HOME of its own."""

import fcntl
import os
import stat
import tempfile
from pathlib import Path

import pytest

from semsim.exceptions import InvalidOption
from semsim_service.host import home as homes
from tests.service.live import CLIENT, LiveService
from tests.service.refusing import BENTOML_SERVE, refused

pytestmark = pytest.mark.slow


def test_a_second_server_does_not_wipe_the_firsts_metrics(service: LiveService) -> None:
    """A second server with the same home is refused before BentoML empties the metrics of the first."""
    before = CLIENT.get(f"{service.url}/metrics").text
    assert "expected a BENTOML_HOME of its own for each server" in refused(service.home, command=BENTOML_SERVE)
    assert CLIENT.get(f"{service.url}/metrics").text.count("\n") >= before.count("\n")


def test_a_user_without_a_home_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user may have no line in the list of users."""

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(InvalidOption, match="expected BENTOML_HOME, XDG_CACHE_HOME or HOME"):
        homes.home_of(3000)


def test_what_a_server_left_in_place_of_a_read_only_home_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next server removes it, and leaves what another server uses, and what may belong to one that starts."""

    def read_only(home: Path, _: int) -> None:
        raise PermissionError(13, "read-only", str(home))

    monkeypatch.setattr(homes, "_probe", read_only)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, used, new = (tmp_path / f"semsim-bentoml-{name}" for name in ("left", "used", "new"))
    for each in (left, used, new):
        each.mkdir()
        (each / "semsim.lock").touch()
        os.utime(each, (0, 0) if each is not new else None)
    with (used / "semsim.lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = homes.writable_home(tmp_path / "home")
    assert sorted(tmp_path.iterdir()) == sorted((used, new, made))
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
