"""Pairs of which nothing can be told: a low leakage of theirs would read as safe."""

from semsim.uninformative.pair_check import Uninformative, settled, uninformative_pairs

__all__ = ["Uninformative", "settled", "uninformative_pairs"]
