"""Engines compute shards here, in processes, or on a Ray cluster. The bytes are the same."""
