"""The service for `bentoml serve`, `bentoml build` and a bento, where the packages lie in their folders, not installed.

The installed project is served by `semsim serve`, which imports :mod:`semsim_service.service` itself.
"""

import sys
from pathlib import Path

_FOLDER = Path(__file__).parent
for folder in (_FOLDER.parent, _FOLDER):  # semsim, semsim_service; before installed ones, so that a bento runs its own
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from semsim_service.service import SemSimService  # noqa: E402  # found only now

__all__ = ["SemSimService"]
