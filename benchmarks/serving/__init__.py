"""The service under load, beside bare loops over the same network and two other ways to serve it, in one run."""
