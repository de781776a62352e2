"""The chance of a likeness, and the controls beside which it is told."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from semsim import Scorer
from semsim.artifact import Artifact
from semsim.chance import IDENTIFIED, ControlEmbeddings
from semsim.exceptions import ErrorCode, HashMismatch, InvalidConfiguration, InvalidManifest
from semsim.images import decode
from semsim.manifest import CONTROLS_FILE, MANIFEST_FILE
from tests.artifacts import write_artifact
from tests.conftest import CPU, IMAGES
from tests.encoded import picture


def units(rng: np.random.Generator, count: int) -> np.ndarray:
    """Random embeddings of length 1, float32 ``(count, 16)``."""
    values = rng.normal(size=(count, 16))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def chances(controls: ControlEmbeddings, originals: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """The chances of pairs of embeddings."""
    count = len(originals)
    distances = np.linalg.norm(originals.astype(np.float64) - reconstructions, axis=1)
    rows = np.arange(2 * count)
    return controls.chances(np.concatenate([originals, reconstructions]), rows[:count], rows[count:], distances)


def test_a_chance_is_the_share_of_controls_that_are_as_near() -> None:
    """It is counted pair by pair as the definition says, the original with the controls."""
    rng = np.random.default_rng(0)
    controls, originals, reconstructions = ControlEmbeddings(units(rng, 200), "0"), units(rng, 50), units(rng, 50)
    counted = []
    for original, reconstruction in zip(originals, reconstructions, strict=True):
        near = np.linalg.norm(original - reconstruction)
        counted.append(1 + sum(np.linalg.norm(one - reconstruction) <= near for one in controls.embeddings))
    np.testing.assert_allclose(chances(controls, originals, reconstructions), np.array(counted) / 201)


def test_strangers_are_identified_as_rarely_as_promised() -> None:
    """A stranger among strangers of its kind has a chance below 1% in 1% of pairs, and a copy always has."""
    rng = np.random.default_rng(0)
    controls, originals = ControlEmbeddings(units(rng, 499), "0"), units(rng, 4000)
    alarms = (chances(controls, originals, units(rng, 4000)) < IDENTIFIED).mean()
    assert alarms <= IDENTIFIED + 3 * np.sqrt(IDENTIFIED / 4000)
    assert (chances(controls, originals, originals) == 1 / 500).all()


def test_a_copy_of_the_original_among_the_controls_does_not_count() -> None:
    """A client's picture may be a public one: its reconstruction is identified all the same."""
    rng = np.random.default_rng(0)
    controls = ControlEmbeddings(units(rng, 120), "0")
    originals = controls.embeddings[:5]
    near = originals + rng.normal(0, 0.05, originals.shape).astype(np.float32)
    assert chances(controls, originals, near) == pytest.approx(1 / 120)


def test_distances_of_controls_leave_copies_of_the_original_out() -> None:
    """They are those of the embeddings, of all controls but the one that is the original."""
    rng = np.random.default_rng(0)
    public, reconstruction = units(rng, 200), units(rng, 1)[0]
    expected = np.linalg.norm(public.astype(np.float64) - reconstruction, axis=1)
    controls = ControlEmbeddings(public, "0")
    embeddings = np.stack([reconstruction, public[7], public[8]])
    first, second = controls.distances(embeddings, np.array([1, 2]), np.array([0, 0]))
    np.testing.assert_allclose(first, np.delete(expected, 7), rtol=1e-5)
    np.testing.assert_allclose(second, np.delete(expected, 8), rtol=1e-5)


def test_too_few_controls_tell_nothing() -> None:
    """Where fewer than 100 are no copies of the original, the chance is not a number, and never 1%."""
    rng = np.random.default_rng(0)
    embeddings = units(rng, 110)
    embeddings[:20] = embeddings[0] + rng.normal(0, 0.01, (20, 16))
    controls = ControlEmbeddings(embeddings, "0")
    first, last = chances(controls, embeddings[[0, -1]], embeddings[[0, -1]])
    assert np.isnan(first)
    assert last == 1 / 110


@pytest.mark.parametrize("spread", [0.0, 0.01])
def test_controls_that_are_all_alike_are_refused(spread: float) -> None:
    """Beside 150 copies of one image any picture would seem to be this very picture."""
    rng = np.random.default_rng(0)
    alike = np.repeat(units(rng, 1), 150, axis=0) + rng.normal(0, spread, (150, 16)).astype(np.float32)
    with pytest.raises(InvalidConfiguration, match=r"all alike|expected at least 100 different controls"):
        ControlEmbeddings.of(alike, "0")
    with pytest.raises(InvalidConfiguration, match="all alike"):
        ControlEmbeddings(alike, "0")
    many = np.concatenate([alike, units(rng, 700)])
    assert len(ControlEmbeddings.of(many, "0")) == 701


def test_the_bundled_controls_identify_a_noisy_picture(bundled: Scorer) -> None:
    """A noisy copy is this picture; another photograph, even a recognizable one, is not told to be it."""
    assert bundled.controls is not None
    assert len(bundled.controls) == 512
    noisy, other = bundled.score_pairs(
        [(IMAGES / "cat.jpg", IMAGES / "cat_noise.png"), (IMAGES / "cat.jpg", IMAGES / "coffee.jpg")]
    )
    assert (noisy.chance, noisy.identified) == (1 / 513, True)  # type: ignore[union-attr]
    assert other.identified is False  # type: ignore[union-attr]


def test_a_scorer_takes_own_controls_or_none(small_artifact: Path, calibrated_artifact: Path) -> None:
    """The caller's images take the place of the artifact's; without any, as of a plain original, both are None."""
    images = [picture(20, 20, seed) for seed in range(140)]
    pair = decode(IMAGES / "cat_32.png"), decode(IMAGES / "coffee.jpg")
    plain = np.full((20, 20, 3), 90, dtype=np.uint8)
    own = Scorer(small_artifact, providers=CPU, controls=iter(images))
    assert own.controls is not None
    assert len(own.controls) >= 100
    told, nothing = own.score_images([pair[0], plain], [pair[0], plain])
    assert (told.chance, told.identified) == (1 / (len(own.controls) + 1), True)
    assert (nothing.chance, nothing.identified, nothing.uninformative) == (None, None, "original")
    for scorer in (Scorer(calibrated_artifact, providers=CPU, controls=False), Scorer(small_artifact, providers=CPU)):
        (score,) = scorer.score_images([pair[0]], [pair[1]])
        assert (score.chance, score.identified) == (None, None)
    with pytest.raises(InvalidConfiguration, match="expected at least 100 different controls"):
        Scorer(small_artifact, providers=CPU, controls=[*images[:60], *images[:60]])


def test_controls_that_are_not_the_manifests_refuse_to_load(tmp_path: Path) -> None:
    """Another file, another graph's controls and a missing file are each refused, and nothing is scored without."""
    home = write_artifact(tmp_path / "artifact", controls=120)
    artifact = Artifact.load(home)
    assert artifact.controls is not None
    assert artifact.controls.embeddings.shape == (120, 12)
    manifest = (home / MANIFEST_FILE).read_text()
    (home / MANIFEST_FILE).write_text(manifest.replace('"count":120', '"count":119'))
    with pytest.raises(InvalidManifest, match=r"expected float16 controls \(119, 12\) .* got float16 \(120, 12\)"):
        Artifact.load(home)
    other = manifest.replace(f'"graph_sha256":"{artifact.manifest.graph.sha256}"', f'"graph_sha256":"{"0" * 64}"')
    (home / MANIFEST_FILE).write_text(other)
    with pytest.raises(InvalidManifest, match=r"expected controls embedded by .*, got those of 0000"):
        Artifact.load(home)
    (home / MANIFEST_FILE).write_text(manifest)
    np.save(home / CONTROLS_FILE, np.zeros((120, 12), np.float16))
    with pytest.raises(HashMismatch, match="controls"):
        Artifact.load(home)
    header = b"{'descr': '<f2', 'fortran_order': False, 'shape': (99999999999, 9999), }"
    huge = b"\x93NUMPY\x01\x00v\x00" + header.ljust(117) + b"\n"
    (home / CONTROLS_FILE).write_bytes(huge)
    was = json.loads(manifest)["controls"]["sha256"]
    (home / MANIFEST_FILE).write_text(manifest.replace(was, hashlib.sha256(huge).hexdigest()))
    with pytest.raises(InvalidManifest, match="expected float16 controls"):
        Artifact.load(home)
    (home / CONTROLS_FILE).unlink()
    with pytest.raises(Exception, match="expected the controls at") as caught:
        Artifact.load(home)
    assert caught.value.code is ErrorCode.ARTIFACT_NOT_FOUND  # type: ignore[attr-defined]
