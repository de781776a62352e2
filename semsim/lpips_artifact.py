"""LPIPS artifacts: directories with ``model.onnx`` and ``manifest.json`` that ``semsim export-lpips`` makes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semsim.artifact import read_checked
from semsim.exceptions import ArtifactNotFound, InvalidManifest
from semsim.manifest import GRAPH_FILE, MANIFEST_FILE, GraphSpec
from semsim.schema_mistakes import mistakes


class LpipsParity(BaseModel):
    """The agreement of the graph, run by ONNX Runtime, with the network in torch that it was exported from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: int = Field(ge=1)
    max_abs_difference: float = Field(ge=0)
    """The largest difference of the LPIPS of a pair."""


class LpipsManifest(BaseModel):
    """The ``manifest.json`` of an LPIPS artifact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    metric: Literal["lpips"] = "lpips"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    summary: str
    licence: str
    source: str
    graph: GraphSpec
    parity: LpipsParity
    versions: dict[str, str]
    """The versions of the libraries that made the export."""


@dataclass(frozen=True, slots=True)
class LpipsArtifact:
    """An LPIPS artifact whose hash was checked."""

    manifest: LpipsManifest
    graph: bytes

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """Load the artifact in a directory.

        Raises:
            ArtifactNotFound: the directory or one of its files is missing.
            InvalidManifest: the manifest is not that of an LPIPS artifact.
            HashMismatch: the graph is not the one that the manifest describes.
        """
        path = Path(directory) / MANIFEST_FILE
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ArtifactNotFound(
                f"expected an LPIPS artifact, which semsim export-lpips makes, got {directory}: {error.strerror}"
            ) from error
        try:
            manifest = LpipsManifest.model_validate_json(content)
        except ValidationError as error:
            raise InvalidManifest(
                f"expected the manifest of an LPIPS artifact, got {path}:{mistakes(error, LpipsManifest)}"
            ) from error
        return cls(manifest, read_checked(Path(directory) / GRAPH_FILE, "the graph", manifest.graph.sha256))
