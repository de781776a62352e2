"""The exit codes of commands whose attacks say something other than ``matched``."""

EXIT_PARTLY = 4
"""Images explain a part of an update."""
EXIT_NOTHING_FOUND = 5
"""Attacks ran and found nothing, which says nothing about a client's safety."""
EXIT_DIVERGED = 6
"""No image came out."""
