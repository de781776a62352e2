"""The service's benchmark.

    python -m benchmarks.serving [--quick] [--write FILE]

Half an hour on two cores; ``--quick`` shows in a minute that everything runs, and its figures mean little.
"""

from benchmarks.harness.reports import options, publish
from benchmarks.serving.cells import FULL, QUICK
from benchmarks.serving.contenders import SERVERS
from benchmarks.serving.measure import run
from benchmarks.serving.table import report
from semsim.artifact import Artifact


def main() -> None:
    """Measure, and print the report; with ``--write`` keep it in a page."""
    parser = options(__doc__, "serving", images=True)
    parser.add_argument("--quick", action="store_true", help="two loads, one round")
    arguments = parser.parse_args()
    manifest = Artifact.load().manifest
    model = f"{manifest.name} {manifest.version} ({manifest.input.width}x{manifest.input.height} input)"
    text = report(run(QUICK if arguments.quick else FULL, arguments.data, SERVERS), model)
    publish(text, "serving", arguments.write)


main()
