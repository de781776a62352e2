"""The environment of the processes that a worker starts for a part of its work."""

import os
import sys


def child_environment() -> dict[str, str]:
    """The variables of this process but for the service's own, of which the token may be one."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("SEMSIM_")}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
