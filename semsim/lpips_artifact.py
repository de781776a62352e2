"""LPIPS artifacts: directories with ``model.onnx`` and ``manifest.json`` that ``semsim export-lpips`` makes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from semsim.metric_artifact import MetricManifest, read_metric


class LpipsParity(BaseModel):
    """The agreement of the graph, run by ONNX Runtime, with the network in torch that it was exported from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: int = Field(ge=1)
    max_abs_difference: float = Field(ge=0)
    """The largest difference of the LPIPS of a pair."""


class LpipsManifest(MetricManifest):
    """The ``manifest.json`` of an LPIPS artifact."""

    metric: Literal["lpips"] = "lpips"
    parity: LpipsParity


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
        return cls(*read_metric(Path(directory), LpipsManifest, "LPIPS"))
