"""The service: the package ``semsim_service``, and ``bento``, by which BentoML finds it here and in a bento."""
