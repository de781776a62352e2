"""``manifest.json``, which says what a model artifact is, takes and gives, and how it was trained."""

from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from semsim.calibration import Calibration, CalibrationDraws
from semsim.chance import FEWEST_CONTROLS
from semsim.exceptions import ArtifactNotFound, InvalidManifest
from semsim.images import ResizeFilter
from semsim.schema_mistakes import mistakes

MANIFEST_FILE = "manifest.json"
GRAPH_FILE = "model.onnx"
CONTROLS_FILE = "controls.npy"

Precision = Literal["fp32", "fp16-weights", "fp16", "int8"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputSpec(_Part):
    """The graph's input ``images``: uint8 ``(N, height, width, 3)``, RGB, N free."""

    height: int = Field(ge=1, le=4096)
    width: int = Field(ge=1, le=4096)
    filter: ResizeFilter = ResizeFilter.BICUBIC
    """The kernel that stretches images to the input size."""


class EmbeddingSpec(_Part):
    """The graph's output ``embeddings``: float32 ``(N, dimension)``."""

    dimension: int = Field(ge=1)
    normalized: bool
    """True where the graph gives embeddings of unit L2 norm; distances are in [0, 2] then."""


class GraphSpec(_Part):
    """The file ``model.onnx``: its hash, its size, and the arithmetic of its graph."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=1)
    precision: Precision
    opset: int = Field(ge=1)


class ControlsSpec(_Part):
    """The file ``controls.npy``: the embeddings of public images, float16 ``(count, dimension)``. It holds no image."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    count: int = Field(ge=FEWEST_CONTROLS)
    dimension: int = Field(ge=1)
    graph_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """The hash of the graph that embedded the images."""
    source: str
    """The data sets that the images are from, in words."""


class Annotators(_Part):
    """The annotators of one kind whose judgements the embedding was trained on."""

    kind: Literal["person", "vision_model", "classifier"]
    count: int = Field(ge=1)
    detail: str = ""


class TrainingRecord(_Part):
    """The training of the embedding: its data, and the annotators who judged it."""

    summary: str
    on_annotations: bool
    """True where the embedding was trained on judged reconstructions."""
    datasets: tuple[str, ...] = ()
    victims: tuple[str, ...] = ()
    attacks: tuple[str, ...] = ()
    defenses: tuple[str, ...] = ()
    annotators: tuple[Annotators, ...] = ()

    @model_validator(mode="after")
    def _annotated_by_someone(self) -> Self:
        if self.on_annotations != bool(self.annotators):
            raise ValueError("expected annotators exactly when on_annotations is true")
        return self


class HeldOutResult(_Part):
    """One figure that was measured on data which training never saw, with its confidence interval."""

    metric: str
    data: str
    value: float
    low: float
    high: float
    confidence: float = Field(gt=0, lt=1)
    items: int = Field(ge=1)


class Parity(_Part):
    """The agreement of the graph, run by ONNX Runtime, with the network that it was exported from."""

    images: int = Field(ge=1)
    provider: str
    """The execution provider that ran the graph."""
    max_abs_difference: float = Field(ge=0)
    """The largest difference of a component of the L2-normalised embeddings."""
    pairs: int = Field(ge=1)
    distance_spearman: float = Field(ge=-1, le=1)
    """The rank agreement of the pairs' distances with those of the fp32 network."""


class ModelDescription(_Part):
    """The part of a manifest that is known before the export; the description of a checkpoint has it, too."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    summary: str
    licence: str
    source: str
    input: InputSpec
    training: TrainingRecord
    calibration: Calibration | None = None
    calibration_draws: CalibrationDraws | None = None
    """The calibrations of other draws of originals; None where none were kept, so that leakage has no range."""
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The leakage from which a reconstruction counts as recognizable."""
    results: tuple[HeldOutResult, ...] = ()

    @model_validator(mode="after")
    def _calibrated_or_not(self) -> Self:
        if (self.calibration is None) != (self.threshold is None):
            raise ValueError("expected calibration and threshold together, or neither")
        if self.calibration is None and self.calibration_draws is not None:
            raise ValueError("expected draws of a calibration beside the calibration, got draws alone")
        if self.calibration is not None and self.threshold is not None:
            most = float(self.calibration.leakage(np.zeros(1))[0])
            if self.threshold > most:  # nothing would ever be recognizable
                raise ValueError(f"expected a threshold that an exact copy reaches, {most:.4f}, got {self.threshold}")
        return self


class Manifest(ModelDescription):
    """The whole of ``manifest.json``."""

    schema_version: Literal[1] = 1
    graph: GraphSpec
    embedding: EmbeddingSpec
    controls: ControlsSpec | None = None
    """The public images beside which a reconstruction is identified; None where the artifact carries none."""
    distance: Literal["euclidean"] = "euclidean"
    parity: Parity
    versions: dict[str, str]
    """The versions of the libraries that made the export."""

    @model_validator(mode="after")
    def _controls_of_this_graph(self) -> Self:
        controls = self.controls
        if controls is not None and controls.graph_sha256 != self.graph.sha256:
            raise ValueError(f"expected controls embedded by {self.graph.sha256}, got those of {controls.graph_sha256}")
        if controls is not None and controls.dimension != self.embedding.dimension:
            raise ValueError(f"expected controls of {self.embedding.dimension} numbers, got {controls.dimension}")
        return self


def read_manifest(directory: Path) -> Manifest:
    """Read and validate ``directory/manifest.json``.

    Raises:
        ArtifactNotFound: the file is not there.
        InvalidManifest: the file does not fit the schema; the message lists each field that is wrong.
    """
    path = directory / MANIFEST_FILE
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ArtifactNotFound(
            f"expected a model artifact directory with {MANIFEST_FILE} and {GRAPH_FILE}, "
            f"got {directory}: {error.strerror}"
        ) from error
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise InvalidManifest(f"expected a manifest, got {path}:{mistakes(error, Manifest)}") from error
