"""False alarms of audits, and the leaks that they keep: controls against leakage alone.

python -m semsim_training.control_report DATA [--write FILE]
"""

from argparse import ArgumentParser
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.controls import Controls, Portraits
from semsim.exceptions import NotCalibrated
from semsim.scorer import Scorer
from semsim_training.client_images.source import ImageSource
from semsim_training.markdown import table, write_between
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet

BATCHES = (1, 4, 8, 16)
DRAWS, CONTROLS, ROWS = 300, (200, 1600), 48


def main() -> None:
    """Print the table; with ``--write`` keep it in a page."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of real images, SEMSIM_DATA")
    parser.add_argument("--write", type=Path, help="a Markdown page with <!-- federation-controls --> marks")
    arguments = parser.parse_args()
    scorer = Scorer()
    sources = {
        "cifar10": ImageSource(folder=arguments.data / "cifar10" / "test", name="cifar10", size=32),
        "caltech101": ImageSource(folder=arguments.data / "caltech101", size=64, test_share=0.3, split="test"),
    }
    rows = [row for name, source in sources.items() for row in _rows(scorer, name, source)]
    head = ["images", "controls", "batch", "by leakage alone", "leaked", "others' reconstructions", "leaks kept"]
    text = table(head, rows)
    print(text)
    if arguments.write is not None:
        write_between(arguments.write, "federation-controls", text)


def _rows(scorer: Scorer, name: str, source: ImageSource) -> list[list[object]]:
    rng = np.random.default_rng(0)
    originals, made, settings = _sets(scorer, name, rng)
    images = source.load().images
    images = images[rng.permutation(len(images))[:2600]]
    public = Portraits.of(scorer, list(images))
    # An image that a set attacked is no stranger to its reconstructions.
    likeness = public.edges @ originals.edges.T
    strangers = np.flatnonzero(likeness.max(axis=1) < 0.999)
    rows = []
    for count in CONTROLS:
        controls = Controls(public.take(strangers[:count]))
        rest = strangers[count:]
        for batch in BATCHES:
            alone = alarms = others = kept = known = 0
            for _ in range(DRAWS):
                drawn = rng.choice(rest, 2 * batch, replace=False)
                clients = public.take(drawn[:batch])
                near, leaked = _judged(scorer, controls, clients, public.take(drawn[batch:]))
                alone, alarms = alone + bool(near.any()), alarms + bool(leaked.any())
                of_setting = np.flatnonzero(settings == rng.choice(np.unique(settings)))
                held = rng.choice(of_setting, batch, replace=False)
                rebuilt = made.take(held)
                others += bool(_judged(scorer, controls, clients, rebuilt)[1].any())
                apart = np.linalg.norm(originals.embeddings[held] - rebuilt.embeddings, axis=1)
                recognizable = _recognizable(scorer, apart)
                kept += int((_judged(scorer, controls, originals.take(held), rebuilt)[1] & recognizable).sum())
                known += int(recognizable.sum())
            shares = [f"{share / DRAWS:.1%}" for share in (alone, alarms, others)]
            rows.append([name, count, batch, *shares, f"{kept / known:.1%}"])
    return rows


def _sets(scorer: Scorer, name: str, rng: np.random.Generator) -> tuple[Portraits, Portraits, NDArray[np.str_]]:
    """Up to ``ROWS`` pairs of each setting of the committed sets of a data set, of attacks that did not diverge."""
    originals, made, settings = [], [], []
    for directory in (Path("datasets") / name, Path("datasets") / f"{name}-many"):
        kept = ReconstructionSet.read(directory)
        for setting in sorted({row.setting for row in kept.rows}):
            rows = [row for row in kept.rows if row.setting == setting and row.done]
            rows = [rows[place] for place in rng.permutation(len(rows))[:ROWS]]
            if len(rows) < max(BATCHES):
                continue
            originals.append(Portraits.of(scorer, [kept.original(row) for row in rows]))
            made.append(Portraits.of(scorer, [kept.reconstruction(row) for row in rows]))
            settings += [setting] * len(rows)
    return Portraits.joined(originals), Portraits.joined(made), np.array(settings)


def _judged(
    scorer: Scorer, controls: Controls, originals: Portraits, made: Portraits
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The originals that pass for leaks by the nearest reconstruction's leakage alone, and by an audit's rule."""
    apart = originals.distances(made)
    likeness = controls.likeness(originals, made)
    chosen = apart[np.arange(len(apart)), likeness.nearest]
    return _recognizable(scorer, apart.min(axis=1)), _recognizable(scorer, chosen) & likeness.identified


def _recognizable(scorer: Scorer, distances: NDArray[np.float64]) -> NDArray[np.bool_]:
    leakages, threshold = scorer.leakage(distances), scorer.manifest.threshold
    if leakages is None or threshold is None:
        raise NotCalibrated("expected a calibrated model, got one without leakage")
    return np.asarray(leakages >= threshold)


if __name__ == "__main__":
    main()
