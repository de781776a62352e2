"""FID artifacts: directories with ``model.onnx`` and ``manifest.json`` that ``semsim export-fid`` makes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from semsim.manifest import InputSpec
from semsim.metric_artifact import MetricManifest, read_metric


class FeatureParity(BaseModel):
    """The agreement of the graph, run by ONNX Runtime, with the network in torch that it was exported from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int = Field(ge=1)
    max_difference: float = Field(ge=0)
    """The largest difference of a feature, as a share of the largest feature."""


class FidManifest(MetricManifest):
    """The ``manifest.json`` of an FID artifact."""

    metric: Literal["fid"]
    input: InputSpec
    features: int = Field(ge=1)
    """The number of features of an image: 2048 of Inception-v3."""
    parity: FeatureParity


@dataclass(frozen=True, slots=True)
class FidArtifact:
    """An FID artifact whose hash was checked. Its graph takes images as a model's does, and gives features."""

    manifest: FidManifest
    graph: bytes

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """Load the artifact in a directory.

        Raises:
            ArtifactNotFound: the directory or one of its files is missing.
            InvalidManifest: the manifest is not that of an FID artifact.
            HashMismatch: the graph is not the one that the manifest describes.
        """
        return cls(*read_metric(Path(directory), FidManifest, "FID"))
