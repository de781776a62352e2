"""Tells operators of the service: log lines, traces, and the observers that write both when a request is over."""
