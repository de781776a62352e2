"""Writes a software bill of materials of the image that it runs in, as CycloneDX 1.6 JSON.

It runs inside the image, and needs Python alone: `deploy/image/build.sh` gives it to the image's Python, and keeps what
it prints. The packages of Python come from their metadata, those of Debian or Ubuntu from dpkg.
"""

import json
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any


def python_component(distribution: Distribution) -> dict[str, Any]:
    """A package of Python."""
    name, version = distribution.metadata["Name"], distribution.version
    normal = name.lower().replace("_", "-").replace(".", "-")
    purl = f"pkg:pypi/{normal}@{version}"
    component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    licence = distribution.metadata.get("License-Expression")
    return component | ({"licenses": [{"expression": licence}]} if licence else {})


def system_components() -> list[dict[str, Any]]:
    """The packages of the distribution; none where there is no dpkg."""
    lines = Path("/etc/os-release").read_text().splitlines()
    release = dict(line.partition("=")[::2] for line in lines if "=" in line)
    system = release.get("ID", "linux").strip('"')
    query = ["dpkg-query", "--show", "--showformat", "${Package}\t${Version}\t${Architecture}\n"]
    try:
        shown = subprocess.run(query, capture_output=True, text=True, check=True).stdout  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return []
    components = []
    for line in shown.splitlines():
        name, version, architecture = line.split("\t")
        purl = f"pkg:deb/{system}/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={architecture}"
        components.append({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl})
    return components


def bill(image: str, base: str) -> dict[str, Any]:
    """The bill of materials of ``image``, which was built on ``base``."""
    packages = {component["bom-ref"]: component for component in map(python_component, distributions())}
    components = [packages[name] for name in sorted(packages)] + system_components()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "name": image,
                "properties": [{"name": "semsim:base-image", "value": base}],
            }
        },
        "components": components,
    }


if __name__ == "__main__":
    json.dump(bill(*sys.argv[1:3]), sys.stdout, indent=1)
    print()
