"""Artifacts and manifests: good ones load, and each bad one is refused with its reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from semsim.artifact import Artifact, default_artifact
from semsim.exceptions import ArtifactError, ErrorCode, InvalidManifest
from semsim.manifest import GRAPH_FILE, MANIFEST_FILE, read_manifest
from tests.artifacts import write_artifact
from tests.conftest import ROOT


def test_a_valid_artifact_loads(small_artifact: Path) -> None:
    """A directory whose graph has the manifest's hash loads."""
    artifact = Artifact.load(small_artifact)
    assert artifact.manifest.name == "small"
    assert artifact.graph == (small_artifact / GRAPH_FILE).read_bytes()


def test_the_bundled_artifact_says_what_it_is() -> None:
    """The default artifact is small, calibrated, and says that vision models annotated it, not people."""
    artifact = Artifact.load()
    manifest = artifact.manifest
    assert artifact.directory == default_artifact()
    assert len(artifact.graph) < 20e6
    assert manifest.name == "semsim-default"
    assert "Annotated by vision models, not by people" in manifest.summary
    assert [one.kind for one in manifest.training.annotators] == ["vision_model"]
    assert manifest.calibration is not None
    assert manifest.calibration_draws is not None
    assert manifest.threshold is not None
    assert {result.metric.split(" at ")[0] for result in manifest.results} >= {"AUC", "precision", "recall"}
    assert manifest.parity.distance_spearman >= 0.999


def test_the_baseline_stays_without_a_calibration() -> None:
    """The ImageNet baseline does not claim annotations."""
    manifest = Artifact.load(ROOT / "models" / "imagenet-baseline").manifest
    assert not manifest.training.on_annotations
    assert (manifest.training.annotators, manifest.calibration, manifest.threshold) == ((), None, None)


def test_the_bundled_graph_names_no_machine() -> None:
    """The exporter's stack traces, with their paths, are not in the graph."""
    graph = Artifact.load().graph
    for trace in (str(Path.home()).encode(), str(ROOT).encode(), b"site-packages", b".py"):
        assert trace not in graph


def test_a_wrong_hash_refuses_to_load(tmp_path: Path) -> None:
    """One changed byte of the graph is found."""
    directory = write_artifact(tmp_path / "artifact")
    graph = bytearray((directory / GRAPH_FILE).read_bytes())
    graph[-1] ^= 1
    (directory / GRAPH_FILE).write_bytes(graph)
    with pytest.raises(ArtifactError, match=r"expected .* with sha256 .*, got ") as caught:
        Artifact.load(directory)
    assert caught.value.code is ErrorCode.HASH_MISMATCH


@pytest.mark.parametrize("missing", [MANIFEST_FILE, GRAPH_FILE])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    """The refusal names the file that is missing."""
    directory = write_artifact(tmp_path / "artifact")
    (directory / missing).unlink()
    with pytest.raises(ArtifactError, match=missing) as caught:
        Artifact.load(directory)
    assert caught.value.code is ErrorCode.ARTIFACT_NOT_FOUND


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"extra": 1}, "extra"),
        ({"threshold": 0.5}, "calibration and threshold together"),
        ({"input": {"height": 0, "width": 3}}, "input.height"),
        ({"input": {"height": 8, "width": 8, "filter": "magic"}}, "input.filter"),
        ({"calibration": {"kind": "logistic", "slope": -1, "intercept": 0}, "threshold": 0.5}, "slope"),
        (
            {
                "calibration": {"kind": "isotonic", "distances": [0, 1], "leakages": [0.1, 0.9]},
                "threshold": 0.5,
            },
            "never rise",
        ),
        (
            {"calibration": {"kind": "isotonic", "distances": [1, 1], "leakages": [0.9, 0.1]}, "threshold": 0.5},
            "strictly rising",
        ),
        (
            {"calibration": {"kind": "logistic", "slope": 2, "intercept": -1}, "threshold": 0.74},
            r"threshold that an exact copy reaches, 0\.7311, got 0\.74",
        ),
        ({"training": {"summary": "", "on_annotations": True}}, "annotators"),
    ],
)
def test_an_invalid_manifest_names_the_field(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """A manifest that does not fit is refused with the field that is wrong."""
    directory = write_artifact(tmp_path / "artifact")
    path = directory / MANIFEST_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ArtifactError, match=message) as caught:
        Artifact.load(directory)
    assert caught.value.code is ErrorCode.INVALID_MANIFEST


def test_a_misspelt_field_of_a_manifest_is_told_with_the_nearest(tmp_path: Path) -> None:
    """Each mistake is a line: the place, what was expected, what came; no line has the schema library's words."""
    (tmp_path / "manifest.json").write_text('{"nmae": "a", "threshold": 2}')
    with pytest.raises(InvalidManifest, match=r"got nmae; did you mean name\?") as caught:
        read_manifest(tmp_path)
    assert "threshold: expected a number less than 1, got 2" in str(caught.value)
    assert "Extra inputs" not in str(caught.value)
