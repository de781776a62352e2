"""An overload: three times the load that the service can bear, from clients that come again when they are told to.

python -m benchmarks.overload --seconds 40 --write docs/endurance.md
"""

from benchmarks.harness.reports import model_line, options, publish
from benchmarks.overload.report import faults, report
from benchmarks.overload.result import OverloadPlan
from benchmarks.overload.run import run, service_apart


def main() -> None:
    """Run, and print the report; with ``--write`` keep it in a page."""
    parser = options(__doc__, "overload", proof=True)
    parser.add_argument("--rounds", type=int, default=3, help="overloads of each form")
    parser.add_argument("--seconds", type=float, default=40.0, help="length of each overload")
    parser.add_argument("--patience", type=float, default=15.0, help="seconds after which a refused client gives up")
    arguments = parser.parse_args()
    plan = OverloadPlan(arguments.rounds, arguments.seconds, patience=arguments.patience, seed=arguments.seed)
    with service_apart(arguments) as (server, scorer, apart):
        overloads = run(server, scorer, plan)
    text = model_line(arguments.model) + report(overloads, plan, apart=apart)
    publish(text, "overload", arguments.write, faults(overloads, plan))


main()
