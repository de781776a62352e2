"""Where shards are computed: here, in processes, or on a Ray cluster. The bytes are the same."""
