"""Model artifacts on disk: where the bundled one lies, and the loading of one with a check of its hashes."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from semsim.chance import ControlEmbeddings
from semsim.exceptions import ArtifactNotFound, HashMismatch, InvalidManifest
from semsim.manifest import CONTROLS_FILE, GRAPH_FILE, ControlsSpec, Manifest, read_manifest

DEFAULT_ARTIFACT = "semsim-default"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A directory with ``model.onnx``, ``manifest.json`` and perhaps ``controls.npy`` whose hashes were checked."""

    directory: Path
    manifest: Manifest
    graph: bytes
    """The ONNX graph whose hash was checked. It is kept, so that no other graph can be run."""
    controls: ControlEmbeddings | None = None
    """The public images beside which a reconstruction is identified; None where the artifact carries none."""

    @classmethod
    def load(cls, directory: Path | str | None = None) -> Self:
        """Load an artifact; without a directory, the one bundled with the package.

        Raises:
            ArtifactNotFound: the directory or one of its files is missing.
            InvalidManifest: the manifest does not fit the schema, or the controls.
            HashMismatch: the graph or the controls are not those that the manifest describes.
        """
        home = default_artifact() if directory is None else Path(directory)
        manifest = read_manifest(home)
        graph = read_checked(home / GRAPH_FILE, "the graph", manifest.graph.sha256)
        controls = None if manifest.controls is None else _read_controls(home / CONTROLS_FILE, manifest.controls)
        return cls(directory=home, manifest=manifest, graph=graph, controls=controls)


def default_artifact() -> Path:
    """The directory of the bundled artifact: inside the installed package, or beside it in a source tree."""
    package = Path(__file__).parent
    candidates = (package / "models" / DEFAULT_ARTIFACT, package.parent / "models" / DEFAULT_ARTIFACT)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise ArtifactNotFound(f"expected the bundled model artifact at one of {', '.join(map(str, candidates))}")


def read_checked(path: Path, content: str, sha256: str) -> bytes:
    """The bytes of a file of an artifact; ``content`` says what it holds.

    Raises:
        ArtifactNotFound: the file is missing.
        HashMismatch: its hash is not ``sha256``.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArtifactNotFound(f"expected {content} at {path}: {error.strerror}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise HashMismatch(f"expected {path} with sha256 {sha256}, got {digest}")
    return data


def _read_controls(path: Path, spec: ControlsSpec) -> ControlEmbeddings:
    data = read_checked(path, "the controls", spec.sha256)
    expected = f"expected float16 controls ({spec.count}, {spec.dimension}) in {path}"
    try:
        stored = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:  # a header may claim any shape
        raise InvalidManifest(f"{expected}, got another file: {error}") from error
    if not isinstance(stored, np.ndarray) or stored.dtype != np.float16 or stored.shape != (spec.count, spec.dimension):
        got = f"{stored.dtype} {stored.shape}" if isinstance(stored, np.ndarray) else type(stored).__name__
        raise InvalidManifest(f"{expected}, got {got}")
    if not np.isfinite(stored).all():
        raise InvalidManifest(f"{expected} that are finite, got NaN or infinity")
    return ControlEmbeddings(stored.astype(np.float32), spec.graph_sha256)
