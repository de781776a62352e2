"""Defenses of a client on its update: how they are written (``defense``) and what they do (``rules``)."""
