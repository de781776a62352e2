"""Tables of pairs, as Parquet files or WebDataset shards: they are read, scored and written part by part."""
