"""The soak: mixed load for minutes, a worker killed, a stop with requests in flight, every answer checked."""
