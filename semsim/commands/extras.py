"""The extra of this project that installs a missing module, as the metadata of the installed package has it."""

import re
from collections import defaultdict
from importlib.metadata import PackageNotFoundError, requires

PROJECT = "semsim"

_DISTRIBUTION_OF = {
    "google": "protobuf",
    "google.protobuf": "protobuf",
    "grpc": "grpcio",
    "grpc_health": "grpcio-health-checking",
    "grpc_reflection": "grpcio-reflection",
    "opentelemetry": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.exporter": "opentelemetry-exporter-otlp-proto-http",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""The distributions of modules that have another name. Others share ``google`` and ``opentelemetry``, too."""

_REQUIREMENT = re.compile(r"""(?P<name>[\w.-]+).*;.*\bextra\s*==\s*["'](?P<extra>[\w-]+)["']""")


def extra_with(module: str, preferred: tuple[str, ...]) -> str | None:
    """The extra that installs ``module``, a name as a failed import gives it; None where no extra does.

    Of several extras it is one of the ``preferred``, or else the one that installs least.
    """
    requirements: dict[str, set[str]] = defaultdict(set)
    try:
        all_requirements = requires(PROJECT) or ()
    except PackageNotFoundError:  # the sources run without an installation, as in the container image
        return None
    for requirement in all_requirements:
        if (match := _REQUIREMENT.match(requirement)) is not None:
            requirements[match["extra"]].add(_normalised(match["name"]))
    distribution = _DISTRIBUTION_OF.get(module, _normalised(module))
    candidates = [extra for extra, names in requirements.items() if distribution in names]
    return min(candidates, key=lambda extra: (extra not in preferred, len(requirements[extra])), default=None)


def _normalised(name: str) -> str:
    """The name of a distribution as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
