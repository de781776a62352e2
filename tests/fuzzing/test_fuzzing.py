"""Ten thousand cases of values and files: no traceback, no gate that passes with less than all scored, no hang."""

import subprocess
import sys
from pathlib import Path

import pytest

from semsim.images import decode
from tests.conftest import ROOT
from tests.fuzzing.files import DRAWN, WHOLE
from tests.fuzzing.kinds import KINDS, Kind
from tests.fuzzing.run import plan, run_block
from tests.fuzzing.world import World, require

pytestmark = pytest.mark.slow

CASES = 10_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A directory of its own."""
    return World(tmp_path_factory.mktemp("fuzzing"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_case_keeps_the_rules(kind: Kind, world: World) -> None:
    """Whatever is given is refused in order, or measured rightly; gates that pass are among the cases."""
    for one, number in plan(CASES):
        if one is kind:
            counted = run_block(world, kind, number)
            assert not counted.fault, f"block {number}:\n{counted.fault}"
    assert kind.name != "gate" or world.seen["gates passed"] > 10


def test_a_broken_rule_is_shown_with_its_smallest_case(world: World) -> None:
    """A rule that does not hold ends its block with the case that it does not hold for."""
    kind = next(kind for kind in KINDS if kind.name == "content")
    broken = Kind("content", 1, kind.cases, lambda _, data: require(len(data) < 9, "expected few bytes"))
    counted = run_block(world, broken, 0)
    assert counted.what.endswith("expected few bytes")
    assert "case=" in counted.fault
    assert run_block(world, broken, 0).fault == counted.fault


@pytest.mark.parametrize("name", WHOLE)
def test_the_files_are_whole(name: str) -> None:
    """The files that cases damage can be read."""
    assert decode(WHOLE[name]).shape == DRAWN.shape
    assert name != "webp alpha" or b"ALPH" in WHOLE[name]


def test_a_run_goes_on(tmp_path: Path) -> None:
    """The command goes on behind the blocks that its state holds, and counts all."""
    state = tmp_path / "state.json"
    for cases in (200, 300):
        command = [sys.executable, "-W", "ignore", "-m", "tests.fuzzing", "--cases", str(cases), "--state", str(state)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert f"{cases} cases, 0 faults" in done.stdout
