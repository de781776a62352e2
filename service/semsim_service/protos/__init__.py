"""The service's Protocol Buffers, and the Python generated from them (`make protos`)."""
