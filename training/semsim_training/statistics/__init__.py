"""Statistics that annotation, faithfulness and the metric's training share: intervals, rank statistics, agreement."""
