"""Small programs around the metric, and the images that the README and the tests use."""
