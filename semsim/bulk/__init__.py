"""Scoring whole directories: find, match, score in chunks, resume, write a table."""
