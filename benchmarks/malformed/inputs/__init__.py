"""Malformed inputs: each follows from a seed, its kind and its number."""
