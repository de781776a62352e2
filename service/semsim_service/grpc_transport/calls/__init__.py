"""The calls of either protocol: their metadata, messages, raw images, errors, and the count of answers in progress."""
