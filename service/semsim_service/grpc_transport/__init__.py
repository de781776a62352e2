"""The gRPC transport: ``semsim.v1.Scorer``, the Open Inference Protocol, health and reflection on one port."""
