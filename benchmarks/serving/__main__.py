"""The service's benchmark.

    python -m benchmarks.serving [--quick] [--write FILE]

Twenty minutes on two cores; ``--quick`` shows in a minute that it runs. ``SEMSIM_ARTIFACT`` names another model.
"""

from dataclasses import replace

from benchmarks.harness.reports import model_line, options, publish
from benchmarks.serving.cells import FULL, QUICK, model_of_run
from benchmarks.serving.contenders import SERVERS
from benchmarks.serving.measure import run
from benchmarks.serving.table import report
from semsim.artifact import Artifact


def main() -> None:
    """Measure, and print the report; with ``--write`` keep it in a page."""
    parser = options(__doc__, "serving", images=True)
    parser.add_argument("--quick", action="store_true", help="two loads, one round")
    parser.add_argument("--rounds", type=int, default=FULL.rounds, help="rounds of the whole benchmark")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else replace(FULL, rounds=arguments.rounds)
    model = model_of_run()
    mark = "serving" if model.manifest == Artifact.load().manifest else f"serving {model.manifest.name}"
    publish(model_line(model.directory) + report(run(plan, arguments.data, SERVERS)), mark, arguments.write)


main()
