"""Proofs under load: a soak, an overload, and malformed input, against the real service."""
