"""The service's benchmark.

    python -m benchmarks.serving [--quick] [--write FILE]

Twenty minutes on two cores; ``--quick`` shows in a minute that everything runs, and its figures mean little.
"""

from dataclasses import replace

from benchmarks.harness.reports import model_line, options, publish
from benchmarks.serving.cells import FULL, QUICK
from benchmarks.serving.contenders import SERVERS
from benchmarks.serving.measure import run
from benchmarks.serving.table import report


def main() -> None:
    """Measure, and print the report; with ``--write`` keep it in a page."""
    parser = options(__doc__, "serving", images=True)
    parser.add_argument("--quick", action="store_true", help="two loads, one round")
    parser.add_argument("--rounds", type=int, default=FULL.rounds, help="rounds of the whole benchmark")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else replace(FULL, rounds=arguments.rounds)
    text = report(run(plan, arguments.data, SERVERS))
    publish(model_line() + text, "serving", arguments.write)


main()
