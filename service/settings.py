"""The service's settings, from the environment (``SEMSIM_``) and a YAML file: the one place that reads them."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

from semsim.images import DecodeLimits
from semsim.providers import ProviderSettings
from semsim.scorer import DEFAULT_BATCH_SIZE

_Positive = Annotated[int, Field(ge=1)]


class Limits(BaseModel):
    """What one request may weigh; all of it is checked before the images are decoded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: _Positive = 256
    """Pairs a request."""
    body_bytes: _Positive = 64 * 2**20
    """Bytes of a request body."""
    image_bytes: _Positive = 16 * 2**20
    """Bytes of one encoded image."""
    image_pixels: _Positive = 4096 * 4096
    """Width x height of one image."""
    request_pixels: _Positive = 2**27
    """Pixels of all distinct images of a request together, after which nothing more of it is decoded."""

    @property
    def decode(self) -> DecodeLimits:
        """The limits of one image, as the decoder takes them."""
        return DecodeLimits(max_bytes=self.image_bytes, max_pixels=self.image_pixels)


class Settings(BaseSettings):
    """Every setting of the service, such as ``SEMSIM_ARTIFACT`` or ``SEMSIM_LIMITS__PAIRS``.

    ``SEMSIM_CONFIG`` names a YAML file with the same names, nested; the environment wins over it.
    """

    model_config = SettingsConfigDict(env_prefix="SEMSIM_", env_nested_delimiter="__", frozen=True, extra="forbid")

    config: Path | None = None
    artifact: Path | None = None
    """The model artifact directory; the bundled one when not set."""
    batch_size: _Positive = DEFAULT_BATCH_SIZE
    """Images a run of the graph."""
    request_seconds: Annotated[float, Field(gt=0, le=50)] = 30.0
    """After this long a request is answered with a timeout; under BentoML's own limit of 60 s."""
    decode_threads: _Positive = 4
    """Requests decoded at once."""
    providers: ProviderSettings = ProviderSettings()
    limits: Limits = Limits()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the YAML file."""
        yaml = YamlConfigSettingsSource(settings_cls, yaml_file=os.environ.get("SEMSIM_CONFIG"))
        return init_settings, env_settings, yaml
