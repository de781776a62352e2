"""Scoring in this process, in other processes, or on a Ray cluster. The numbers are the same."""
