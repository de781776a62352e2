"""Who reaches the service, and how: the token, the addresses that it listens on, and its certificates."""
