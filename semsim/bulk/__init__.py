"""Whole directories: their images are found, paired and scored in chunks; a run can be resumed and ends in a table."""
