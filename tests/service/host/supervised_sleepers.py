"""A supervisor of workers that say that they are ready, and sleep: the service's own way to watch its workers.

A program of its own, since circus takes the signals and all children of its process:

    python -m tests.service.host.supervised_sleepers METRICS PROGRAM [WORKERS]
"""

import logging
import sys
from typing import Any

from circus.arbiter import Arbiter
from circus.watcher import Watcher

from semsim_service.host.supervision import watching

READY = """
import os, pathlib, time
os.write(int(os.environ["SEMSIM_SUPERVISOR"].partition(":")[2]), b"1")
pathlib.Path(os.environ["PROMETHEUS_MULTIPROC_DIR"], f"ready_{os.getpid()}").touch()
time.sleep(1000)
"""
"""The program of a worker that becomes ready."""


def main(metrics: str, program: str, workers: str = "1") -> None:
    """Run ``workers`` times ``program`` until told to stop."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s", force=True)
    supervisor: Any = watching(Arbiter, grace=2.0)
    watcher = Watcher(
        "service",
        sys.executable,
        ["-c", program],
        numprocesses=int(workers),
        copy_env=True,
        use_sockets=True,
        stop_children=True,
        env={"PROMETHEUS_MULTIPROC_DIR": metrics},
    )
    addresses = {"endpoint": "tcp://127.0.0.1:0", "pubsub_endpoint": "tcp://127.0.0.1:0"}
    supervisor(watchers=[watcher], **addresses, check_delay=10).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
