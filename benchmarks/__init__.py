"""Speed, memory, and proofs under load. Each room but the first holds commands, such as `python -m benchmarks.soak`.

* ``harness`` starts a real server and stops it, speaks to it over HTTP and gRPC, reads its metrics, writes reports.
* ``serving`` loads the service, beside bare loops over the same network and two other ways to serve it.
* ``soak``, ``overload`` and ``malformed`` are proofs against the real service, for docs/endurance.md.
* ``scoring`` times the library beside a torch loop.
* ``attacks`` times gradient inversion beside a loop over images; ``labels`` counts the labels that updates give away.
"""
