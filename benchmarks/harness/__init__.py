"""One way to start a service, to speak to it over HTTP and gRPC, and to read its metrics, for all benchmarks."""
