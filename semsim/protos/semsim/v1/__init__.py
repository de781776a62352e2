"""Version 1 of the protocol. Fields may be added to it, and none is taken away."""
