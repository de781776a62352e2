"""Who recognised what: blind items, judgements, and how far annotators agree."""
