"""The classifiers that clients train, and that attacks turn against them."""
