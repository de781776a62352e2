"""The service's settings. They are read from the environment (``SEMSIM_``) and a YAML file, here and nowhere else."""

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
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
from semsim.written_yaml import read_yaml

_PREFIX = "SEMSIM_"
_CONFIG = "SEMSIM_CONFIG"
_CONFIG_CHARACTERS = 2**20
# The Makefile, the benchmarks and the tests read the first, and may start a service from their environment. The
# supervisor sets the others for its workers.
_OTHERS = frozenset({"SEMSIM_DATA", "SEMSIM_SUPERVISOR", "SEMSIM_PLACES"})
# Kubernetes sets such variables in every container for a Service object whose name begins with "semsim".
_KUBERNETES = re.compile(
    r"SEMSIM_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)=.*|PORT=\w+://.*|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=.*)"
)

_Positive = Annotated[int, Field(ge=1)]
_Threads = Annotated[int, Field(ge=1, le=256)]
# gRPC counts the bytes of a message, which may be 1 MiB longer than the body, in 31 bits.
_MOST_BYTES = 2**31 - 1 - 2**20


class Limits(BaseModel):
    """The limits of one request, checked before its images are decoded; the last one while they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: _Positive = 256
    """The most pairs of a request."""
    body_bytes: Annotated[int, Field(ge=1, le=_MOST_BYTES)] = 64 * 2**20
    """The most bytes of a request's body."""
    image_bytes: Annotated[int, Field(ge=1, le=_MOST_BYTES)] = 16 * 2**20
    """The most bytes of one encoded image."""
    image_pixels: Annotated[int, Field(ge=1, le=2**31 - 1)] = 4096 * 4096
    """The most pixels of one image, width x height."""
    request_pixels: _Positive = 2**27
    """The most pixels of all distinct images of a request. Past them nothing more of it is decoded."""

    def check_pairs(self, count: int) -> None:
        """Refuse too many pairs before there is an object for each.

        Raises:
            TooManyPairs: ``count`` is over the limit.
        """
        if count > self.pairs:
            raise TooManyPairs(f"expected at most {self.pairs} pairs a request, got {count}")

    @property
    def decode(self) -> DecodeLimits:
        """The limits of one image, in the decoder's form."""
        return DecodeLimits(max_bytes=self.image_bytes, max_pixels=self.image_pixels)


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QueueLimits(_Group):
    """The bound on all admitted requests of a worker together. Past it requests are refused."""

    pairs: _Positive = 1024
    """The most pairs of all admitted requests."""
    bytes: _Positive = 256 * 2**20
    """The most bytes of the bodies of all admitted requests."""


class HTTPSettings(_Group):
    """The connections of HTTP, the names that it answers to, and its pages for browsers."""

    connections: Annotated[int, Field(ge=16, le=65536)] = 512
    """The most connections of a worker at once. The last sixteenth of them is for health checks alone."""
    hosts: tuple[str, ...] = ()
    """Hosts, without ports, that requests and the pages that make them may name, beside the service's own."""
    page: bool = True
    """Serve a page to try the service at ``/``, and a viewer of its OpenAPI document at ``/docs``."""


class GRPCSettings(_Group):
    """The address of the gRPC server."""

    host: str = "127.0.0.1"
    """The IP address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 3001
    """The port to listen on. 0 = no gRPC."""
    connections: _Positive = 256
    """The most connections of a worker at once."""


class AuthSettings(_Group):
    """The token that callers must have."""

    token: SecretStr | None = None
    """The bearer token that every request must carry."""
    token_file: Path | None = None
    """A file that holds the token, or two in a line each, such as a mounted secret. SIGHUP reads it again."""
    anonymous: bool = False
    """Listen beyond loopback without a token, as behind a proxy that checks its callers."""


class TLSSettings(_Group):
    """PEM certificates of both HTTP and gRPC. Without them both speak plain text."""

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    """The authority that must have signed the clients' certificates (mTLS). None = clients need none."""


class TracingSettings(_Group):
    """OpenTelemetry traces. There are none without an endpoint."""

    endpoint: str | None = None
    """The address of OTLP over HTTP, such as ``http://127.0.0.1:4318/v1/traces``."""
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of traces that are kept. A caller's decision, if it comes with the request, wins."""

    @field_validator("endpoint")
    @classmethod
    def _endpoint_is_an_address(cls, endpoint: str | None) -> str | None:
        """Refuse what no span can be sent to. Otherwise each export would fail, in lines of the log alone."""
        if endpoint is not None:
            try:
                address = urlsplit(endpoint)
                usable = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
            except ValueError:  # a port that is no number, or an address in wrong brackets
                usable = False
            if not usable or not endpoint.isprintable() or " " in endpoint:
                raise ValueError("expected http:// or https://, a host, and the path of OTLP, such as /v1/traces")
        return endpoint


class LogSettings(_Group):
    """The log lines beside errors and starts. None of them holds an image."""

    requests: bool = False
    """Write a line for each request. It costs throughput."""
    audit_file: Path | None = None
    """A file that gets a line of JSON for each request with pairs: who scored how many, and when."""


class Settings(BaseSettings):
    """Every setting of the service, such as ``SEMSIM_ARTIFACT`` or ``SEMSIM_LIMITS__PAIRS``.

    ``SEMSIM_CONFIG`` names a YAML file with the same names, nested. The environment wins over it.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid")

    config: Path | None = None
    artifact: Path | None = None
    """The model artifact directory. None = the bundled one."""
    lpips: Path | None = None
    """The directory of an LPIPS artifact, which ``semsim export-lpips`` makes. None = results have no LPIPS."""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = DEFAULT_BATCH_SIZE
    """The largest number of images in a run of the graph."""
    request_seconds: Annotated[float, Field(gt=0, le=50)] = 30.0
    """The seconds after which a request is answered with a timeout. They stay under BentoML's own limit of 60 s."""
    decode_threads: _Threads = Field(default_factory=lambda: min(4, max(1, len(os.sched_getaffinity(0)) - 1)))
    """The number of small requests decoded at once, by default 4 or one less than the cores: more threads slow each
    other. There is one thread more for large requests."""
    workers: _Threads = 1
    """The number of processes that serve. Each loads the model, so one is right for a GPU."""
    spare_worker: bool = False
    """Keep one process more, without a model, that takes the place of a worker that dies."""
    scoring_process: bool = Field(default_factory=lambda: len(os.sched_getaffinity(0)) > 1)
    """Score little requests in a process beside the worker, on a CPU and without LPIPS. By default where there are two
    cores or more."""
    cache_bytes: Annotated[int, Field(ge=0)] = 0
    """The memory for embeddings of images seen before. 0 by default: embeddings of private images are private."""
    providers: ProviderSettings = ProviderSettings()
    limits: Limits = Limits()
    queue: QueueLimits = QueueLimits()
    http: HTTPSettings = HTTPSettings()
    grpc: GRPCSettings = GRPCSettings()
    auth: AuthSettings = AuthSettings()
    tls: TLSSettings = TLSSettings()
    tracing: TracingSettings = TracingSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _largest_request_fits(self) -> "Settings":
        """Refuse a queue that, even empty, could not take the largest request: it would be refused for ever."""
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
        """The sources in the order in which they win: arguments, the environment, the YAML file."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, _config_file())


def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        InvalidOption: a value does not fit, a variable ``SEMSIM_*`` is no setting, or the YAML file cannot be read.
    """
    _refuse_unknown_variables()
    try:
        return Settings()
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        lines = (f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)
        raise InvalidOption(f"expected valid settings, got {'; '.join(lines)}") from None
    except SettingsError as error:  # a list or a group that is not JSON
        raise InvalidOption(f"expected valid settings, got {error}") from None
    except RecursionError:
        raise InvalidOption("expected valid settings, got a variable whose JSON is nested too deeply") from None


def _refuse_unknown_variables() -> None:
    """Refuse variables that are no setting: a misspelt limit would otherwise be no limit, without a word."""
    known = set(_variables(Settings, _PREFIX))
    for name, value in sorted(os.environ.items()):
        ours = name.upper().startswith(_PREFIX) and name not in known | _OTHERS
        if ours and not _KUBERNETES.fullmatch(f"{name}={value}"):
            nearest = get_close_matches(name.upper(), known, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            raise InvalidOption(f"expected environment variables SEMSIM_* that are settings, got {name}{hint}")


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """The environment variables of a settings model. A group is one variable of JSON, or several, nested at ``__``."""
    for name, field in model.model_fields.items():
        yield prefix + name.upper()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _variables(field.annotation, f"{prefix}{name.upper()}__")


def _config_file() -> dict[str, Any]:
    path = os.environ.get(_CONFIG)
    if not path:
        return {}
    if Path(path).is_fifo():  # all processes of the service read it, and a pipe would be empty but for the first
        raise InvalidOption(f"expected {_CONFIG} to name a file that can be read again, got a pipe, {path}")
    try:
        with Path(path).open() as file:  # it may be a device, which has no end
            text = file.read(_CONFIG_CHARACTERS + 1)
        if len(text) > _CONFIG_CHARACTERS:
            raise InvalidOption(
                f"expected {_CONFIG} to name a file of at most {_CONFIG_CHARACTERS} characters, got more"
            )
        content = read_yaml(text)
    except OSError as error:
        raise InvalidOption(f"expected {_CONFIG} to name a readable YAML file, got {path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a wrong date and too deep a list, too
        mark = getattr(error, "problem_mark", None)  # its text, the lines around, may hold the token
        reason = type(error).__name__ if mark is None else f"{getattr(error, 'problem', '')}, line {mark.line + 1}"
        raise InvalidOption(f"expected {_CONFIG} to name a YAML file, got {path}: not YAML: {reason}") from None
    if not isinstance(content, dict | None) or not all(isinstance(name, str) for name in content or ()):
        raise InvalidOption(f"expected {_CONFIG} to name a YAML file of settings, got {path}, which holds no names")
    return content or {}
