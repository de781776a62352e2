"""Throughput and memory of the library, beside the same network in a plain torch loop."""
