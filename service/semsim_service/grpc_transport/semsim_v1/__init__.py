"""The protocol ``semsim.v1.Scorer``: its methods, its requests as pairs, and answers as its messages."""
