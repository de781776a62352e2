"""What a request means, whatever carried it: schemas, limits, scoring."""
