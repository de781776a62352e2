"""Runs BentoML's program of a worker in a process that ends with its supervisor also while it imports.

    python -m semsim_service.host.worker_entry MODULE [ARGUMENT]...

is ``python -m MODULE [ARGUMENT]...`` in such a process.
"""

import runpy
import sys

from semsim_service.host.supervised import SupervisorTie

if __name__ == "__main__":
    if (tie := SupervisorTie.of_environment()) is not None:
        tie.end_with_supervisor()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
