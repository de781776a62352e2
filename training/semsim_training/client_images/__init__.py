"""Labelled images, for victims to learn and for attacks to rebuild: their sources, and the clients' augmentation."""
