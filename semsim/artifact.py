"""Model artifacts on disk: where the bundled one lies, and the loading of one with a check of its hash."""

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
    """The ONNX graph whose hash was checked. It is kept, so that no other graph can be run."""

    @classmethod
    def load(cls, directory: Path | str | None = None) -> Self:
        """Load an artifact; without a directory, the one bundled with the package.

        Raises:
            ArtifactNotFound: the directory or one of its files is missing.
            InvalidManifest: the manifest does not fit the schema.
            HashMismatch: the graph is not the one that the manifest describes.
        """
        home = default_artifact() if directory is None else Path(directory)
        manifest = read_manifest(home)
        path = home / GRAPH_FILE
        try:
            graph = path.read_bytes()
        except OSError as error:
            raise ArtifactNotFound(f"expected the graph at {path}: {error.strerror}") from error
        digest = hashlib.sha256(graph).hexdigest()
        if digest != manifest.graph.sha256:
            raise HashMismatch(f"expected {path} with sha256 {manifest.graph.sha256}, got {digest}")
        return cls(directory=home, manifest=manifest, graph=graph)


def default_artifact() -> Path:
    """The directory of the bundled artifact: inside the installed package, or beside it in a source tree."""
    package = Path(__file__).parent
    candidates = (package / "models" / DEFAULT_ARTIFACT, package.parent / "models" / DEFAULT_ARTIFACT)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise ArtifactNotFound(f"expected the bundled model artifact at one of {', '.join(map(str, candidates))}")
