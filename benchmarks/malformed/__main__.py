"""Malformed inputs over HTTP and gRPC: refused in order, and the service goes on.

    python -m benchmarks.malformed --inputs 100000 --write docs/endurance.md

An input follows from the seed, its kind and its number: `--kind K --first N --inputs 1` sends that one again.
"""

from benchmarks.harness.reports import model_line, options, publish, under_test
from benchmarks.malformed.findings import Findings
from benchmarks.malformed.inputs.kinds import KINDS
from benchmarks.malformed.report import report
from benchmarks.malformed.run import SETTINGS, blocks, run


def main() -> None:
    """Run, and print the report; with ``--write`` keep it in a page."""
    parser = options(__doc__, "malformed", proof=True)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--kind", action="append", choices=[kind.name for kind in KINDS], help="these kinds only")
    parser.add_argument("--first", type=int, default=0, help="number of the first input of each kind")
    arguments = parser.parse_args()
    findings = Findings(arguments.seed)
    with under_test(arguments, SETTINGS) as (server, scorer):
        run(server, scorer, findings, list(blocks(arguments.inputs, arguments.kind or (), arguments.first)))
    publish(model_line(arguments.model) + report(findings), "malformed", arguments.write, findings.faults)


main()
