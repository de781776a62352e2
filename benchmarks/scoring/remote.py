"""``semsim score-dir --url`` against ``semsim score-dir``: the same files, the same model, in turn.

    python -m benchmarks.scoring.remote [--files N] [--write FILE]

The service runs on the same machine, so that it shares the cores with its client. Both sides are whole commands, with
their start; absolute times belong to the machine, and the ratios can be compared.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from benchmarks.harness.reports import options, publish
from benchmarks.harness.server import running, semsim_serve
from benchmarks.serving.pairs import real_images
from semsim_export.parity_pairs import degraded_pairs
from semsim_training.machine import machine
from semsim_training.markdown import records_table

RUNS = 3
SIDES = (32, 96)


def write_files(data: Path, folder: Path, side: int, files: int) -> tuple[Path, Path]:
    """Real images of ``side`` as PNG files, half of ``files``, mirrored where there are too few; degraded copies."""
    real = real_images(data, side, files // 2)
    originals = np.concatenate([real, real[:, :, ::-1]])[: files // 2]
    if len(originals) < files // 2:
        raise SystemExit(f"expected at most {4 * len(real)} files, got {files}")
    folders = folder / "originals", folder / "reconstructions"
    degraded = degraded_pairs(originals, seed=0)[1]
    for into, images in ((folders[0], originals), (folders[1], degraded)):
        into.mkdir(parents=True)
        for number, image in enumerate(images):
            Image.fromarray(image).save(into / f"{number:06}.png")
    return folders


def seconds(folders: tuple[Path, Path], table: Path, *extra: str) -> float:
    """The seconds of one whole command, whose exit code must be that of scored pairs."""
    began = time.monotonic()
    command = [str(Path(sys.executable).parent / "semsim"), "score-dir", *map(str, folders), "-o", str(table), *extra]
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - began


def compare(data: Path, side: int, files: int) -> dict[str, object]:
    """One row of the table: both commands in turn, ``RUNS`` times."""
    with tempfile.TemporaryDirectory() as scratch, running(semsim_serve(), Path(scratch) / "home") as server:
        folders = write_files(data, Path(scratch), side, files)
        here, there = Path(scratch) / "here.csv", Path(scratch) / "there.csv"
        times = []
        for run in range(RUNS):
            sys.stderr.write(f"{side} px, {files} files: run {run + 1} of {RUNS}\n")
            times.append((seconds(folders, here), seconds(folders, there, "--url", server.url)))
        if here.read_text() != there.read_text():
            sys.stderr.write("the tables differ\n")
    ratios = [local / remote for local, remote in times]
    return {
        "files": f"{files} of {side} px",
        "score-dir, pairs/s": f"{files / 2 / median(local for local, _ in times):.0f}",
        "with --url, pairs/s": f"{files / 2 / median(remote for _, remote in times):.0f}",
        "ratio": f"**{median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})",
    }


def main() -> None:
    """Measure, and print the table; with ``--write`` keep it in a page."""
    parser = options(__doc__, "remote", images=True)
    parser.add_argument("--files", type=int, default=10_000)
    arguments = parser.parse_args()
    rows = [compare(arguments.data, side, arguments.files) for side in SIDES]
    text = (
        f"PNG files, half of them originals; the bundled model on the CPU provider, the service on the same machine; "
        f"{RUNS} runs in turn, medians; the ratio run by run (lowest to highest).\n\n"
        f"Machine: {machine()}.\n\n{records_table(rows)}"
    )
    publish(text, "remote", arguments.write)


if __name__ == "__main__":
    main()
