"""An overload: three times the load that the service can bear, from clients that come again when they are told to.

python -m benchmarks.overload --seconds 40 --write docs/endurance.md
"""

import os

from benchmarks.harness.reports import options, publish, under_test
from benchmarks.overload.report import faults, report
from benchmarks.overload.result import OverloadPlan
from benchmarks.overload.run import run


def main() -> None:
    """Run, and print the report; with ``--write`` keep it in a page."""
    parser = options(__doc__, "overload", proof=True)
    parser.add_argument("--rounds", type=int, default=3, help="overloads of each form")
    parser.add_argument("--seconds", type=float, default=40.0, help="length of each overload")
    parser.add_argument("--patience", type=float, default=15.0, help="seconds after which a refused client gives up")
    arguments = parser.parse_args()
    plan = OverloadPlan(arguments.rounds, arguments.seconds, patience=arguments.patience, seed=arguments.seed)
    # A core for the service and the others for its clients, so that neither slows the other.
    first, *others = sorted(os.sched_getaffinity(0))
    settings = {}
    if others:
        os.sched_setaffinity(0, others)
        # ONNX Runtime binds the threads of its pool to cores of its own choice: with one thread there is no pool.
        settings["SEMSIM_PROVIDERS__CPU__THREADS"] = "1"
    with under_test(arguments, settings, {first}) as (server, scorer):
        overloads = run(server, scorer, plan)
    text = report(overloads, plan, apart=bool(others))
    publish(text, "overload", arguments.write, faults(overloads, plan))


main()
