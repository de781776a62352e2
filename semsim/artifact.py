"""A model artifact on disk: found, read, and checked against its own hash."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from semsim.exceptions import ArtifactNotFound, HashMismatch
from semsim.manifest import GRAPH_FILE, Manifest, read_manifest

DEFAULT_ARTIFACT = "semsim-default"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A directory with ``model.onnx`` and ``manifest.json`` whose hash has been checked."""

    directory: Path
    manifest: Manifest
    graph: bytes
    """The ONNX graph, as hashed: what is run is what was checked."""

    @classmethod
    def load(cls, directory: Path | str | None = None) -> Self:
        """Load an artifact; without a directory, the one bundled with the package.

        Raises:
            ArtifactNotFound: the directory or one of its files is missing.
            InvalidManifest: the manifest does not fit the schema.
            HashMismatch: the graph is not the one the manifest describes.
        """
        where = default_artifact() if directory is None else Path(directory)
        manifest = read_manifest(where)
        path = where / GRAPH_FILE
        try:
            graph = path.read_bytes()
        except OSError as error:
            raise ArtifactNotFound(f"expected the graph at {path}: {error.strerror}") from error
        digest = hashlib.sha256(graph).hexdigest()
        if digest != manifest.graph.sha256:
            raise HashMismatch(f"expected {path} with sha256 {manifest.graph.sha256}, got {digest}")
        return cls(directory=where, manifest=manifest, graph=graph)


def default_artifact() -> Path:
    """The directory of the bundled artifact: inside the installed package, or beside it in a source tree."""
    package = Path(__file__).parent
    candidates = (package / "models" / DEFAULT_ARTIFACT, package.parent / "models" / DEFAULT_ARTIFACT)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise ArtifactNotFound(f"expected the bundled model artifact at one of {', '.join(map(str, candidates))}")
