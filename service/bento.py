"""The service for `bentoml serve`, `bentoml build` and a bento, where the packages lie in folders, not installed.

The installed project is served by `semsim serve`, which imports :mod:`semsim_service.service` itself.
"""

import os
import sys
from pathlib import Path

_FOLDER = Path(__file__).parent
# The folders of semsim and semsim_service come before installed packages, so that a bento runs its source. Workers
# import semsim_service before this file, and find it by the environment.
_for_workers = os.environ.get("PYTHONPATH", "").split(os.pathsep)
for folder in (str(_FOLDER.parent), str(_FOLDER)):
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if folder not in _for_workers:
        _for_workers.insert(0, folder)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, _for_workers))

from semsim_service.service import SemSimService  # noqa: E402  # its folder is on the path only now

__all__ = ["SemSimService"]
