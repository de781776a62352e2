"""A soak: mixed HTTP and gRPC for minutes, a worker killed, a stop with requests in flight, every answer checked.

python -m benchmarks.soak --minutes 15 --write docs/endurance.md
"""

from benchmarks.harness.reports import model_line, options, publish, under_test
from benchmarks.soak.report import report
from benchmarks.soak.result import SoakPlan
from benchmarks.soak.run import run


def main() -> None:
    """Run, and print the report; with ``--write`` keep it in a page, and the picture beside that."""
    parser = options(__doc__, "soak", proof=True)
    parser.add_argument("--minutes", type=float, default=15.0)
    arguments = parser.parse_args()
    plan = SoakPlan(arguments.minutes * 60, arguments.seed, back_seconds=5.0)
    with under_test(arguments, {"SEMSIM_SPARE_WORKER": "true"}) as (server, scorer):
        result = run(plan, server, scorer)
    picture = arguments.write.parent / "endurance-memory.png" if arguments.write else None
    publish(model_line(arguments.model) + report(result, picture), "soak", arguments.write, result.verdict.faults)


main()
