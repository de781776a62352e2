"""The embedding network and its checkpoints; attacks, annotation and training build on them."""
