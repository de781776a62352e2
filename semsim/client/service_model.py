"""The model, the limits and the version of a service, as ``GET /model`` tells them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semsim.exceptions import InvalidAnswer
from semsim.images import DecodeLimits
from semsim.manifest import Manifest
from semsim.schema_mistakes import mistakes

_Count = Annotated[int, Field(ge=1)]


class ServiceLimits(BaseModel):
    """The limits of one request."""

    model_config = ConfigDict(frozen=True)

    pairs: _Count
    body_bytes: _Count
    image_bytes: _Count
    image_pixels: _Count
    request_pixels: _Count

    def decode(self, other: DecodeLimits) -> DecodeLimits:
        """The limits of one image: the service's, or ``other`` where these are lower."""
        return DecodeLimits(
            max_bytes=min(self.image_bytes, other.max_bytes), max_pixels=min(self.image_pixels, other.max_pixels)
        )


class ServiceLpips(BaseModel):
    """The LPIPS network of a service."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    sha256: str


class ServiceModel(BaseModel):
    """The answer of ``GET /model``, as far as the client needs it."""

    model_config = ConfigDict(frozen=True)

    service_version: str
    manifest: Manifest
    lpips: ServiceLpips | None = None
    """The network that gives ``lpips``; None where results have none, and from services that do not tell."""
    limits: ServiceLimits

    @property
    def identity(self) -> tuple[str, str, str]:
        """The name, the version and the hash of the graph: every answer carries them."""
        return self.manifest.name, self.manifest.version, self.manifest.graph.sha256


def read_service_model(body: bytes) -> ServiceModel:
    """Read the body of ``GET /model``.

    Raises:
        InvalidAnswer: the body is no such answer; the message lists each field that is wrong.
    """
    try:
        return ServiceModel.model_validate_json(body)
    except ValidationError as error:
        raise InvalidAnswer(f"expected the model of a SemSim service, got:{mistakes(error, ServiceModel)}") from None
