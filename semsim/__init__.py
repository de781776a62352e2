"""SemSim: would a person recognise what a gradient-inversion attack rebuilt?

>>> from semsim import Scorer
>>> Scorer().score("original.png", "reconstruction.png").distance
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semsim.artifact import Artifact
    from semsim.exceptions import SemSimError
    from semsim.pairs import PairFailure
    from semsim.providers import ProviderSettings
    from semsim.scorer import PairScore, Scorer

__version__ = "0.1.0"

__all__ = ["Artifact", "PairFailure", "PairScore", "ProviderSettings", "Scorer", "SemSimError", "__version__"]

_HOME = {
    "Artifact": "semsim.artifact",
    "PairFailure": "semsim.pairs",
    "PairScore": "semsim.scorer",
    "ProviderSettings": "semsim.providers",
    "Scorer": "semsim.scorer",
    "SemSimError": "semsim.exceptions",
}


def __getattr__(name: str) -> Any:
    """Import the public names when first used: ``semsim --help`` then needs no ONNX Runtime."""
    if name not in _HOME:
        raise AttributeError(f"module 'semsim' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
