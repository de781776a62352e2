"""Federated averaging with a leakage guard on each client and a leakage probe at the server."""
