"""Gradient-inversion attacks: from an observation to the images that could have caused it."""
