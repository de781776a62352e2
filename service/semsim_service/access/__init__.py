"""Guards the way to the service: its token, the addresses that it listens on, and its certificates."""
