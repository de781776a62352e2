"""Recognisers: classifiers that stand in for a person who says what a reconstruction shows."""
