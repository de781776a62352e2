"""Attacks that search the unknowns of a generator of images: a trained one's codes, or an untrained one's weights."""
