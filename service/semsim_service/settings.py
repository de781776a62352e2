"""The service's settings, from the environment (``SEMSIM_``) and a YAML file: the one place that reads them."""

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from semsim.exceptions import InvalidOption, TooManyPairs
from semsim.images import DecodeLimits
from semsim.providers import ProviderSettings
from semsim.scorer import DEFAULT_BATCH_SIZE

_PREFIX = "SEMSIM_"
_CONFIG = "SEMSIM_CONFIG"
# Read by the Makefile, the benchmarks and the tests, from whose environment a service may be started.
_OTHERS = frozenset({"SEMSIM_DATA"})
# What Kubernetes sets in every container for a Service object whose name begins with "semsim".
_KUBERNETES = re.compile(
    r"SEMSIM_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)=.*|PORT=\w+://.*|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=.*)"
)

_Positive = Annotated[int, Field(ge=1)]


class Limits(BaseModel):
    """What one request may weigh: checked before images are decoded, and their pixels together while they are."""

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

    def check_pairs(self, count: int) -> None:
        """Refuse too many pairs before there is an object for each.

        Raises:
            TooManyPairs: more than the limit.
        """
        if count > self.pairs:
            raise TooManyPairs(f"expected at most {self.pairs} pairs a request, got {count}")

    @property
    def decode(self) -> DecodeLimits:
        """The limits of one image, as the decoder takes them."""
        return DecodeLimits(max_bytes=self.image_bytes, max_pixels=self.image_pixels)


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QueueLimits(_Group):
    """How much may wait or be scored at once, over all requests of a worker; past it requests are refused."""

    pairs: _Positive = 1024
    """Pairs of all admitted requests."""
    bytes: _Positive = 256 * 2**20
    """Bytes of their bodies."""


class GRPCSettings(_Group):
    """The gRPC server beside the HTTP one."""

    host: str = "127.0.0.1"
    """IP address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 3001
    """0 = no gRPC."""


class AuthSettings(_Group):
    """Who may score."""

    token: SecretStr | None = None
    """The bearer token that every request must carry."""
    token_file: Path | None = None
    """A file that holds it, such as a mounted secret."""
    anonymous: bool = False
    """Listen beyond loopback without a token, as behind a proxy that checks its callers."""


class TLSSettings(_Group):
    """Certificates, PEM, of HTTP and gRPC both; plain text where there are none."""

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    """With it, clients must show a certificate that it signed (mTLS)."""


class TracingSettings(_Group):
    """OpenTelemetry traces; none where there is no endpoint."""

    endpoint: str | None = None
    """OTLP over HTTP, such as ``http://127.0.0.1:4318/v1/traces``."""
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of traces kept; a caller's decision, when one comes with the request, wins."""


class LogSettings(_Group):
    """What is logged, as one JSON object a line. Never an image."""

    requests: bool = False
    """A line a request: it costs throughput."""


class Settings(BaseSettings):
    """Every setting of the service, such as ``SEMSIM_ARTIFACT`` or ``SEMSIM_LIMITS__PAIRS``.

    ``SEMSIM_CONFIG`` names a YAML file with the same names, nested; the environment wins over it.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid")

    config: Path | None = None
    artifact: Path | None = None
    """The model artifact directory; the bundled one when not set."""
    batch_size: _Positive = DEFAULT_BATCH_SIZE
    """Images a run of the graph."""
    request_seconds: Annotated[float, Field(gt=0, le=50)] = 30.0
    """After this long a request is answered with a timeout; under BentoML's own limit of 60 s."""
    decode_threads: _Positive = Field(default_factory=lambda: min(4, max(1, len(os.sched_getaffinity(0)) - 1)))
    """Requests decoded at once; by default 4, or the cores but one: more threads than cores slow each other."""
    workers: _Positive = 1
    """Processes that serve; each loads the model, so one a GPU."""
    cache_bytes: Annotated[int, Field(ge=0)] = 0
    """Memory for embeddings of images seen before. Off by default: embeddings of private images are private."""
    providers: ProviderSettings = ProviderSettings()
    limits: Limits = Limits()
    queue: QueueLimits = QueueLimits()
    grpc: GRPCSettings = GRPCSettings()
    auth: AuthSettings = AuthSettings()
    tls: TLSSettings = TLSSettings()
    tracing: TracingSettings = TracingSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _largest_request_fits(self) -> "Settings":
        """A request within the limits that no empty queue could take would be sent away for ever."""
        for name, queue, request in (
            ("pairs", self.queue.pairs, self.limits.pairs),
            ("bytes", self.queue.bytes, self.limits.body_bytes),
        ):
            if queue < request:
                raise ValueError(f"expected queue.{name} of at least {request}, one request's limit, got {queue}")
        return self

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
        return init_settings, env_settings, InitSettingsSource(settings_cls, _config_file())


def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        InvalidOption: a value that does not fit, a variable ``SEMSIM_*`` that is no setting, or a YAML file
            that cannot be read.
    """
    _refuse_unknown_variables()
    try:
        return Settings()
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        told = (f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)
        raise InvalidOption(f"expected valid settings, got {'; '.join(told)}") from None
    except SettingsError as error:  # a list or a group that is not JSON
        raise InvalidOption(f"expected valid settings, got {error}") from None


def _refuse_unknown_variables() -> None:
    """A misspelt limit would otherwise be no limit, without a word."""
    known = set(_variables(Settings, _PREFIX))
    for name, value in sorted(os.environ.items()):
        ours = name.upper().startswith(_PREFIX) and name not in known | _OTHERS
        if ours and not _KUBERNETES.fullmatch(f"{name}={value}"):
            nearest = get_close_matches(name.upper(), known, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            raise InvalidOption(f"expected environment variables SEMSIM_* that are settings, got {name}{hint}")


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """The environment variables of a settings model; those of a group are JSON, or nested at ``__``."""
    for name, field in model.model_fields.items():
        yield prefix + name.upper()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _variables(field.annotation, f"{prefix}{name.upper()}__")


def _config_file() -> dict[str, Any]:
    path = os.environ.get(_CONFIG)
    if not path:
        return {}
    try:
        content = yaml.safe_load(Path(path).read_bytes())
    except (OSError, yaml.YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not YAML"
        raise InvalidOption(f"expected {_CONFIG} to name a readable YAML file, got {path}: {reason}") from None
    if not isinstance(content, dict | None):
        raise InvalidOption(f"expected {_CONFIG} to name a YAML file of settings, got {path}, which holds no names")
    return content or {}
