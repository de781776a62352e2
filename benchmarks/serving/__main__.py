"""The service's benchmark.

    python -m benchmarks.serving [--quick] [--write FILE]

Half an hour on two cores; ``--quick`` shows in a minute that everything runs, and its figures mean little.
"""

import argparse
import os
import sys
from pathlib import Path

from benchmarks.serving.cells import FULL, QUICK
from benchmarks.serving.contenders import SERVERS
from benchmarks.serving.measure import run
from benchmarks.serving.table import report
from semsim.artifact import Artifact
from semsim_training.markdown import write_between


def main() -> None:
    """Print the report; with ``--write`` also keep it in a page between its markers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SEMSIM_DATA"), help="real images (SEMSIM_DATA)")
    parser.add_argument("--quick", action="store_true", help="two loads, one round")
    parser.add_argument("--write", type=Path, help="a Markdown page with <!-- serving --> markers")
    arguments = parser.parse_args()
    if arguments.data is None or not Path(arguments.data).is_dir():
        parser.error("needs real images: set SEMSIM_DATA")
    manifest = Artifact.load().manifest
    model = f"{manifest.name} {manifest.version} ({manifest.input.width}x{manifest.input.height} input)"
    text = report(run(QUICK if arguments.quick else FULL, Path(arguments.data), SERVERS), model)
    sys.stdout.write(text)
    if arguments.write is not None:
        write_between(arguments.write, "serving", text)


if __name__ == "__main__":
    main()
