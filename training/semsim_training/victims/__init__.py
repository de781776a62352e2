"""The classifiers that clients train and attacks use: their networks, their training and their checkpoints."""
