"""What a client does to its update before it sends it."""
