"""Artifacts of published metrics, LPIPS and FID: directories with ``model.onnx`` and ``manifest.json``."""

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semsim.artifact import read_checked
from semsim.exceptions import ArtifactNotFound, InvalidManifest
from semsim.manifest import GRAPH_FILE, MANIFEST_FILE, GraphSpec
from semsim.schema_mistakes import mistakes


class MetricManifest(BaseModel):
    """The part that the ``manifest.json`` of every published metric has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    summary: str
    licence: str
    source: str
    graph: GraphSpec
    versions: dict[str, str]
    """The versions of the libraries that made the export."""


_Kind = TypeVar("_Kind", bound=MetricManifest)


def read_metric(directory: Path, kind: type[_Kind], metric: str) -> tuple[_Kind, bytes]:
    """The manifest and the graph of the artifact of a metric, LPIPS or FID, whose hash was checked.

    Raises:
        ArtifactNotFound: the directory or one of its files is missing.
        InvalidManifest: the manifest is not that of an artifact of this metric.
        HashMismatch: the graph is not the one that the manifest describes.
    """
    path = directory / MANIFEST_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactNotFound(
            f"expected an {metric} artifact, which semsim export-{metric.lower()} makes, got {directory}: "
            f"{error.strerror}"
        ) from error
    try:
        manifest = kind.model_validate_json(content)
    except ValidationError as error:
        raise InvalidManifest(
            f"expected the manifest of an {metric} artifact, got {path}:{mistakes(error, kind)}"
        ) from error
    return manifest, read_checked(directory / GRAPH_FILE, "the graph", manifest.graph.sha256)
