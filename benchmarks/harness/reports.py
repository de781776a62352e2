"""The commands of the benchmarks: their common options, and where a report goes."""

import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.server import Server, running, semsim_serve
from semsim.artifact import Artifact
from semsim.providers import Provider, ProviderSettings
from semsim.scorer import Scorer
from semsim_training.markdown import write_between

_SHOWN = 30


def tallies(counts: Mapping[str, int]) -> str:
    """Counts in one line, in the order of their names."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def verdict_lines(faults: Sequence[str]) -> str:
    """The result of a proof in one line, and below it the first faults, and how many more there are."""
    if not faults:
        return "**Result: no fault.**"
    more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    return "**Result: faults.**\n\n" + "\n".join(f"* {fault}" for fault in (*faults[:_SHOWN], *more))


def model_line(artifact: Path | None = None) -> str:
    """The model that a report is of, the bundled one without an artifact, as a paragraph."""
    manifest = Artifact.load(artifact).manifest
    return f"Model {manifest.name} {manifest.version} ({manifest.input.width}x{manifest.input.height} input).\n\n"


def options(description: str | None, mark: str, *, images: bool = False, proof: bool = False) -> ArgumentParser:
    """A parser with ``--write``, for a page with two marks; with ``--data`` for real images; with a proof's options."""
    parser = ArgumentParser(description=description, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, help=f"a Markdown page with <!-- {mark} --> marks, to keep the report in")
    if images:
        folder = os.environ.get("SEMSIM_DATA")
        text = "folder of real images (SEMSIM_DATA)"
        parser.add_argument("--data", type=Path, default=folder, required=folder is None, help=text)
    if proof:
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--model", type=Path, help="an artifact; the bundled one without")
        parser.add_argument("--keep", type=Path, help="a new folder for what the service writes; a passing one without")
    return parser


def publish(text: str, mark: str, page: Path | None, faults: object = None) -> None:
    """Print a report; keep it in a page between its marks where one is given; exit with 1 where there are faults."""
    sys.stdout.write(text.strip() + "\n")
    if page is not None:
        write_between(page, mark, text)
    if faults:
        sys.exit(1)


@contextmanager
def under_test(
    arguments: Namespace, settings: Mapping[str, str] | None = None, cores: Set[int] | None = None
) -> Iterator[tuple[Server, Scorer]]:
    """The service that a proof's arguments ask for, until the block ends, and the scorer that knows its answers."""
    scorer = Scorer(arguments.model, providers=ProviderSettings(order=(Provider.CPU,)))
    with tempfile.TemporaryDirectory(prefix="semsim-bench-") as scratch:
        home = arguments.keep or Path(scratch)
        with running(semsim_serve(arguments.model), home, settings, cores=cores) as server:
            yield server, scorer
