"""Pairs of which nothing can be told: a low leakage of theirs would read as safe."""

from semsim.uninformative.altered_copies import SmallCopies, moves_of
from semsim.uninformative.pair_check import Uninformative, settled, uninformative_pairs

__all__ = ["SmallCopies", "Uninformative", "moves_of", "settled", "uninformative_pairs"]
