"""The service's reports to operators.

``logs`` writes log lines, ``tracing`` makes traces, and ``observers`` writes both when a request is over.
"""
