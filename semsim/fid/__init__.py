"""FID, the distance between two sets of images, by the features of an artifact."""
