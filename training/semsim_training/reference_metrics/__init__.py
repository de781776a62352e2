"""Metrics that others published, with which SemSim is compared."""
