"""The service for `bentoml serve`, `bentoml build` and a bento, where the packages lie in folders, not installed.

The installed project is served by `semsim serve`, which imports :mod:`semsim_service.service` itself.
"""

import sys
from pathlib import Path

_FOLDER = Path(__file__).parent
# The folders of semsim and semsim_service come before installed packages, so that a bento runs its source.
for folder in (_FOLDER.parent, _FOLDER):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from semsim_service.service import SemSimService  # noqa: E402  # its folder is on the path only now

__all__ = ["SemSimService"]
