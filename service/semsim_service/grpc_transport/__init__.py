"""The gRPC transport: one server for two protocols, health and reflection.

``semsim_v1`` answers the service's own protocol, ``semsim.v1.Scorer``; ``open_inference`` answers the Open Inference
Protocol. ``transport`` starts and stops the server, and the other modules are what both protocols share.
"""
