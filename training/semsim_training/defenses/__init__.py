"""Defenses of a client on its update: how they are written (``defense``), what they do (``rules``), and plug-ins."""
