"""The gRPC transport: one server for two protocols, health and reflection.

``calls`` has what every call needs. ``semsim_v1`` answers the service's own protocol, ``semsim.v1.Scorer``, and
``open_inference`` the Open Inference Protocol. ``transport`` starts and stops the server.
"""
