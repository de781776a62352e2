"""Protocol Buffers of the service, and the Python generated from them (`make protos`)."""
