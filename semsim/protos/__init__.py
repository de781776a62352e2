"""The Protocol Buffers that the service and the client speak, and the Python generated from them (`make protos`)."""
