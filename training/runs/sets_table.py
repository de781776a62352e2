"""Tell how far the sets of trained victims are: ``python training/runs/sets_table.py --write datasets/README.md``."""

import argparse
from pathlib import Path

import pyarrow.parquet as pq

from semsim_training.markdown import write_between
from semsim_training.reconstructions.grid import Grid

SETS = ("cifar10-trained", "caltech101-trained", "cifar100-trained", "cifar10-trained-defended")
"""The sets in the order in which ``sets.sh`` makes them."""
ROOT = Path(__file__).parents[2]


def row(name: str) -> str:
    """The row of a set: what its grid plans, and what its shards hold."""
    grid = Grid.read(ROOT / "configs" / "attacks" / f"{name}.yaml")
    planned, iterations = 0, 0
    for setting in grid.settings:
        held = grid.images[setting.images].count
        attacked = min(setting.count or held, held) // setting.batch * setting.batch
        planned += attacked
        iterations += attacked * (setting.attack.iterations or 0)
    shards = sorted((ROOT / "datasets" / name / "shards").glob("*.parquet"))
    made = sum(pq.read_metadata(path).num_rows for path in shards)
    finished = "yes" if (ROOT / "datasets" / name / "dataset.json").exists() else "in progress"
    return f"| `{name}` | {len(grid.settings)} | {planned:,} | {iterations / planned:,.0f} | {made:,} | {finished} |"


def main() -> None:
    """Print the table, or write it into a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="Markdown file with <!-- trained-sets --> marks")
    page = parser.parse_args().write
    header = "| set | settings | planned | iterations, on average | made | finished |\n|---|---|---|---|---|---|"
    text = "\n".join([header, *map(row, SETS)])
    if page is None:
        print(text)
    else:
        write_between(page, "trained-sets", text)


if __name__ == "__main__":
    main()
