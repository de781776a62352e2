"""Altered copies that hide behind nearer reconstructions: ``best`` shows them, and no gate passes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from semsim import Scorer
from semsim.bulk.files import Directories
from semsim.bulk.hidden_copies import note_on_moves
from semsim.bulk.matching import Match
from semsim.bulk.run import Run, score_directories
from semsim.images import decode, resize
from semsim.uninformative import altered_copies
from tests.conftest import CPU, ROOT
from tests.semsim.commands.conftest import Semsim
from tests.semsim.commands.conftest import semsim as semsim  # the fixture

PHOTOGRAPHS = ROOT / "examples" / "images" / "photographs"


def photograph(name: str, blur: float = 0.0) -> np.ndarray:
    """A photograph of 64 pixels, blurred."""
    image = Image.fromarray(resize(decode(PHOTOGRAPHS / name), 64, 64))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(blur)))


def moved(image: np.ndarray) -> np.ndarray:
    """A copy moved by a quarter in both directions, with grey behind."""
    behind = np.full_like(image, 128)
    behind[16:, 16:] = image[:-16, :-16]
    return behind


ALTERED: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "moved": ("retina/retina.png", moved),
    "inverted": ("retina/retina.png", lambda image: 255 - image),
    "turned": ("astronaut/astronaut.png", np.rot90),
}


def folders(where: Path, altered: str) -> Directories:
    """An original, its altered copy, and an unrelated reconstruction that is closer to it."""
    name, alter = ALTERED[altered]
    both = Directories(where / "originals", where / "reconstructions")
    for directory in (both.originals, both.reconstructions):
        directory.mkdir()
    Image.fromarray(photograph(name)).save(both.originals / "own.png")
    Image.fromarray(alter(photograph(name, 0.8))).save(both.reconstructions / "altered.png")
    Image.fromarray(photograph("cup/coffee.png", 1.0)).save(both.reconstructions / "closer.png")
    return both


def told(run: Run) -> list[tuple[str | None, str | None, str | None]]:
    """The reconstruction of each row, whether it is recognizable, and why nothing can be told."""
    return [(row.reconstruction, str(row.recognizable), row.uninformative) for row in run.rows]


@pytest.mark.parametrize("altered", ALTERED)
def test_an_altered_copy_is_a_pair_beside_a_closer_one(tmp_path: Path, altered: str) -> None:
    """The closest reconstruction has a low leakage, and the copy a row of its own that nothing can be told of."""
    run = score_directories(Scorer(providers=CPU, controls=False), folders(tmp_path, altered), Match.BEST)
    reason = "moved" if altered == "moved" else "reordered"
    assert told(run) == [("closer.png", "False", None), ("altered.png", "None", reason)]
    assert run.matching.note == ""


def test_a_copy_that_is_the_closest_is_one_pair(tmp_path: Path) -> None:
    """A copy that stands beside its original already is no second pair, and an exact copy is none at all."""
    both = folders(tmp_path, "moved")
    (both.reconstructions / "closer.png").unlink()
    scorer = Scorer(providers=CPU, controls=False)
    assert told(score_directories(scorer, both, Match.BEST)) == [("altered.png", "None", "moved")]
    (both.reconstructions / "altered.png").unlink()
    Image.fromarray(photograph("retina/retina.png")).save(both.reconstructions / "exact.png")
    Image.fromarray(photograph("cup/coffee.png", 1.0)).save(both.reconstructions / "other.png")
    assert told(score_directories(scorer, both, Match.BEST)) == [("exact.png", "True", None)]


def test_a_gate_does_not_pass_a_hidden_copy(tmp_path: Path, semsim: Semsim) -> None:
    """``--match best`` ends with 1 and names the copy; without it the gate passes."""
    both = folders(tmp_path, "moved")
    command = "score-dir", both.originals, both.reconstructions, "--match", "best", "--fail-above", "threshold"
    shown = semsim(*command)
    assert shown.returncode == 1
    assert "altered.png" in shown.stderr
    assert "not everything was scored: 1 that nothing can be told of" in shown.stdout
    rows = json.loads(semsim(*command, "--json").stdout)["results"]
    assert [row["uninformative"] for row in rows] == [None, "moved"]
    (both.reconstructions / "altered.png").unlink()
    assert semsim(*command).returncode == 0


def test_a_run_says_where_not_all_pairs_are_looked_at_for_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, semsim: Semsim
) -> None:
    """Where pairs are too many, a warning says how many originals each reconstruction was compared with: no pass."""
    assert note_on_moves(1000, 1000) == ""
    assert "its 104 closest originals alone, of 10000" in note_on_moves(10000, 10000)
    both = folders(tmp_path, "moved")
    Image.fromarray(photograph("rocket/rocket.png")).save(both.originals / "rocket.png")
    monkeypatch.setattr(altered_copies, "MOST_MOVED", 2)
    run = score_directories(Scorer(providers=CPU, controls=False), both, Match.BEST)
    assert "its 1 closest originals alone, of 2" in run.matching.note
    (both.reconstructions / "altered.png").unlink()
    monkeypatch.setattr(altered_copies, "MOST_MOVED", 1)
    command = "score-dir", both.originals, both.reconstructions, "--match", "best"
    assert semsim(*command).returncode == 0
    shown = semsim(*command, "--fail-above", "threshold")
    assert shown.returncode == 1
    assert "so that no gate passes: match fewer images at once" in shown.stderr
    assert "the gate passes" not in shown.stdout
    monkeypatch.setattr(altered_copies, "MOST_MOVED", 2)
    assert semsim(*command, "--fail-above", "threshold").returncode == 0
