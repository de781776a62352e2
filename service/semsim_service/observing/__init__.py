"""The service's reports to operators.

``logs`` writes log lines, ``audit_log`` a line for each scored request, ``failed_logins`` one for a wrong token,
``tracing`` makes traces, and ``observers`` writes when a request is over. ``pages`` keeps the numbers of a worker,
``server_processes`` and ``certificate_expiry`` make more of them, and ``cgroup`` reads the limits that the system sets.
"""
