"""The scoring service: HTTP over a core over a backend, held together by BentoML. Never imports torch."""
