"""The scoring service: HTTP and gRPC over one core, held together by BentoML. Never imports torch."""
