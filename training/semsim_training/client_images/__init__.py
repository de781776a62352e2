"""Labelled images, for victims to learn and for attacks to rebuild: where they come from, and how clients augment them."""
