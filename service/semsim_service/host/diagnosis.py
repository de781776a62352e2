"""The examination of a machine by `semsim doctor`: what a service would find there.

It needs none of the packages of the extra `serve` until it asks whether they are there.
"""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from semsim import __version__
from semsim.exceptions import SemSimError
from semsim.providers import Provider, unavailable_reason
from semsim_service.host.machine_limits import cpu_quota, free_memory, nvidia_driver
from semsim_service.observing.cgroup import memory_limit

if TYPE_CHECKING:
    from semsim_service.settings import Settings

_GIB = 2**30
_LEAST_CACHE_BYTES = 64 * 2**20
_EXTRAS = {"serve": "bentoml", "train": "torch", "bulk": "pyarrow", "client": "httpx"}
"""The extras, each with a package that no other extra brings without the rest."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: Literal["fine", "slower", "missing", "problem"]
    """``slower`` where something is faster elsewhere, ``missing`` where something optional is not there, ``problem``
    where no service would start."""
    told: str
    advice: str | None = None


def examine(host: str, port: int) -> list[Finding]:
    """Look at everything that a service on this address would need. An error is a finding.

    Args:
        host: the address of HTTP and gRPC.
        port: the port of HTTP; that of gRPC is the next one, where the settings give no other.
    """
    findings = [*_software(), *_providers()]
    if importlib.util.find_spec("bentoml") is None:
        told = "the packages of the service are not installed"
        return [*findings, Finding("serving", "problem", told, "pip install 'semsim[serve]'")]
    from semsim_service.settings import load_settings

    try:
        settings = load_settings()
    except SemSimError as error:
        return [*findings, Finding("settings", "problem", str(error))]
    looks: dict[str, Callable[[Settings], Iterator[Finding]]] = {
        "settings": _settings,
        "model": _model,
        "memory": _memory,
        "threads": _threads,
        "disk": lambda settings: _disks(settings, port),
        "addresses": lambda settings: _addresses(settings, host, port),
    }
    for subject, look in looks.items():
        findings += _told_by(subject, look, settings)
    return findings


def _told_by(subject: str, look: "Callable[[Settings], Iterator[Finding]]", settings: "Settings") -> Iterator[Finding]:
    try:
        yield from look(settings)
    except (SemSimError, OSError) as error:
        yield Finding(subject, "problem", str(error))


def _software() -> Iterator[Finding]:
    system = f"{platform.system()} {platform.machine()}"
    yield Finding("python", "fine", f"{platform.python_version()} on {system}, semsim {__version__}, {sys.executable}")
    there = {extra: importlib.util.find_spec(module) is not None for extra, module in _EXTRAS.items()}
    told = ", ".join(f"{extra} {'installed' if has else 'not installed'}" for extra, has in there.items())
    yield Finding("extras", "fine" if all(there.values()) else "missing", told)


def _providers() -> Iterator[Finding]:
    driver = nvidia_driver()
    if driver is None:
        yield Finding("driver", "missing", "no NVIDIA driver", "a GPU embeds faster: docs/performance.md")
    else:
        yield Finding("driver", "fine", f"NVIDIA {driver}")
    reasons = {provider: unavailable_reason(provider) for provider in Provider}
    for provider, reason in reasons.items():
        if reason is None:
            yield Finding("provider", "fine", f"{provider} can be used")
        elif provider is Provider.CPU:
            yield Finding("provider", "problem", f"cpu cannot be used: {reason}", "install ONNX Runtime again")
        else:
            extra = "gpu" if provider is Provider.CUDA else "tensorrt"
            advice = f"pip install 'semsim[{extra}]'" if driver and "cannot load" in reason else None
            state: Literal["slower", "missing"] = "slower" if driver else "missing"
            yield Finding("provider", state, f"{provider} cannot be used: {reason}", advice)


def _settings(settings: "Settings") -> Iterator[Finding]:
    from semsim_service.host.preflight import check_bentoml, check_settings

    check_bentoml()
    check_settings(settings)
    given = sorted(settings.model_fields_set - {"config"})
    yield Finding("settings", "fine", f"valid; given: {', '.join(given) or 'none'}")


def _model(settings: "Settings") -> Iterator[Finding]:
    from semsim.artifact import Artifact
    from semsim_service.host.preflight import try_model

    artifact = Artifact.load(settings.artifact)
    manifest = artifact.manifest
    told = f"{manifest.name} {manifest.version}, {manifest.graph.precision}, sha256 {manifest.graph.sha256}"
    if manifest.calibration is None:
        yield Finding("model", "missing", f"{told}, not calibrated", "it gives no leakage: semsim model show")
    else:
        yield Finding("model", "fine", told)
    try_model(settings)
    yield Finding("model", "fine", "it loads and embeds an image")


def _memory(settings: "Settings") -> Iterator[Finding]:
    from semsim_service.host.memory_need import memory_need

    limit, free, need = memory_limit(), free_memory(), memory_need(settings)
    told = f"{_gib(free)} free, " + ("no limit of a control group" if limit is None else f"a limit of {_gib(limit)}")
    room = min(bound for bound in (limit, free) if bound is not None) if limit or free else None
    told += f"; the largest requests may take {_gib(need)}"
    if room is not None and room < need:
        advice = "lower SEMSIM_LIMITS__IMAGE_PIXELS, SEMSIM_QUEUE__BYTES, SEMSIM_DECODE_THREADS or SEMSIM_WORKERS"
        yield Finding("memory", "slower", f"{told}: the kernel may kill workers", advice)
    else:
        yield Finding("memory", "fine", told)


def _threads(settings: "Settings") -> Iterator[Finding]:
    cores, quota, wanted = len(os.sched_getaffinity(0)), cpu_quota(), settings.providers.cpu.threads
    told = f"{cores} cores, " + ("no quota" if quota is None else f"a quota of {quota:g}")
    told += f"; {settings.workers} workers of {wanted or cores} network and {settings.decode_threads} decoding threads"
    used = settings.workers * (wanted or cores)
    if quota is not None and used > quota + 1:
        fitting = max(1, int(quota / settings.workers))
        advice = f"SEMSIM_PROVIDERS__CPU__THREADS={fitting}: throttled threads wait for each other"
        yield Finding("threads", "slower", told, advice)
    elif used > cores:
        yield Finding("threads", "slower", told, f"SEMSIM_PROVIDERS__CPU__THREADS={max(1, cores // settings.workers)}")
    else:
        yield Finding("threads", "fine", told)


def _disks(settings: "Settings", port: int) -> Iterator[Finding]:
    from semsim_service.host.home import existing_part, home_of, look_at_home

    tensorrt = settings.providers.tensorrt
    caches = {"engine cache": tensorrt.engine_cache_dir, "timing cache": tensorrt.timing_cache_dir}
    for name, cache in caches.items():
        if cache is None:
            continue
        there = existing_part(cache)
        free = shutil.disk_usage(there).free
        told = f"{name} {cache}: {_gib(free)} free"
        if not os.access(there, os.W_OK):
            yield Finding(
                "disk", "slower", f"{told}, read-only: engines are built at each start", "name another folder"
            )
        elif free < _LEAST_CACHE_BYTES:
            yield Finding("disk", "slower", told, "free some space, or name another folder")
        else:
            yield Finding("disk", "fine", told)
    home = Path(os.environ.get("BENTOML_HOME") or home_of(port))
    if look_at_home(home, settings.workers):
        yield Finding("disk", "fine", f"BENTOML_HOME {home} has room for the metrics")
    else:
        told = f"BENTOML_HOME {home} is read-only: a folder for temporary files is taken instead"
        yield Finding("disk", "missing", told)


def _addresses(settings: "Settings", host: str, port: int) -> Iterator[Finding]:
    from semsim_service.host.preflight import check_addresses

    given = settings.grpc.model_fields_set
    changed = {"host": host} if "host" not in given else {}
    grpc = settings.grpc.model_copy(update=changed | ({"port": port + 1} if "port" not in given else {}))
    check_addresses(settings.model_copy(update={"grpc": grpc}), host, port)
    told = f"HTTP on {host} port {port}" + (f", gRPC on {grpc.host} port {grpc.port}" if grpc.port else ", no gRPC")
    yield Finding("addresses", "fine", f"{told}: free")


def _gib(size: int | None) -> str:
    return "an unknown number of bytes" if size is None else f"{size / _GIB:.1f} GiB"
