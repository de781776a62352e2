"""The export of a checkpoint to a model artifact: its graph in one of four precisions, and the check of the graph."""
