"""Sets of reconstructions: planned, attacked in shards, written as Parquet, looked at."""
