"""Metrics that others published, beside which SemSim is measured."""
