"""The path by which each network of the list is attacked, and how far it agrees with plain autograd.

python -m benchmarks.networks [--write FILE]
"""

import sys
from textwrap import shorten

import torch

from benchmarks.harness.reports import options, publish
from benchmarks.networks.network_list import NETWORKS, ListedNetwork
from semsim.exceptions import InvalidVictim
from semsim_training.gradients.client_gradients import chosen_path
from semsim_training.gradients.trial import Trial
from semsim_training.markdown import table

_HEAD = ("network", "from", "images", "parameters", "path", "difference", "computed by equal operations")


def main() -> None:
    """Print the table; with ``--write`` keep it in a page."""
    arguments = options(__doc__, "networks").parse_args()
    torch.set_num_threads(1)
    rows = []
    for listed in NETWORKS:
        rows.append(_row(listed))
        sys.stderr.write(f"{' '.join(rows[-1])}\n")
    attacked = [row for row in rows if not row[4].startswith("refused")]
    paths = ", ".join(f"{sum(row[4] == path for row in rows)} by {path}" for path in ("shared weights", "vmap", "loop"))
    what = f"{len(rows)} networks: {paths}, {len(rows) - len(attacked)} refused."
    publish(f"{what}\n\n{table(_HEAD, rows)}", "networks", arguments.write)


def _row(listed: ListedNetwork) -> tuple[str, ...]:
    torch.manual_seed(0)
    network = listed.make().eval()
    size = sum(parameter.numel() for parameter in network.parameters())
    start = (listed.name, listed.source, "x".join(map(str, listed.shape)), f"{size:,}")
    try:
        chosen = chosen_path(network, 1, listed.shape, train_batchnorm=False)
    except InvalidVictim as error:
        return (*start, f"refused: {shorten(str(error), 150, placeholder=' ...')}", "", "")
    difference = chosen.difference
    if difference.tolerance > 1e-3:  # a large network was tried in float32
        trial = Trial(network, 1, listed.shape, train_batchnorm=False, dtype=torch.float64)
        difference = trial.difference(chosen.kind(trial.model, 1, train_batchnorm=False))
    return (*start, chosen.kind.path, f"{difference.largest:.0e}", ", ".join(chosen.replaced))


if __name__ == "__main__":
    main()
