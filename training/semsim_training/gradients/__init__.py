"""What a client computes from its images, for many independent clients in one graph."""
