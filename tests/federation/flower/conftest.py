"""Flower's tests: they run in an environment of their own, ``make test-flower``, and are left out elsewhere."""

import importlib.util
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "examples" / "flower"
sys.path.insert(0, str(EXAMPLE))
HAS_FLOWER = importlib.util.find_spec("flwr") is not None
