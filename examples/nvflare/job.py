"""A federated run with a leakage filter on each client, in NVFLARE's simulator. README.md says what it shows.

python examples/nvflare/job.py --action block
"""

import argparse
import json
import sys
from pathlib import Path

from digits import DigitNetwork, DigitsClient  # type: ignore[import-not-found]  # it lies beside this script
from nvflare.app_opt.pt.recipes.fedavg import FedAvgRecipe
from nvflare.recipe import SimEnv

from semsim_federation.guard import Action
from semsim_federation.nvflare import LeakageFilter
from semsim_federation.series import read_series
from semsim_federation.series_plot import plot_series

HERE = Path(__file__).resolve().parent


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--action", choices=("none", "report", "block", "defend"), default="report")
    parser.add_argument("--refusal", choices=("error", "empty"), default="empty")
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--defending", default="site-2", help="a client that defends where others block; '' for none")
    parser.add_argument("--originals", action="store_true", help="draw originals in the galleries, too")
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/semsim-nvflare"))  # noqa: S108  # as NVFLARE's own
    return parser.parse_args()


def recipe_of(clients: int, rounds: int) -> FedAvgRecipe:
    """Federated averaging of the digits' network, without a filter."""
    recipe = FedAvgRecipe(
        name="digits",
        model=DigitNetwork(),
        min_clients=clients,
        num_rounds=rounds,
        train_script=str(HERE / "client.py"),
    )
    recipe.set_per_site_config({site: {} for site in sites_of(clients)})  # each site may have a filter of its own
    return recipe


def sites_of(clients: int) -> list[str]:
    """The names of the clients, as NVFLARE's simulator gives them."""
    return [f"site-{number}" for number in range(1, clients + 1)]


def show(reports: Path) -> None:
    """Print what each site kept of each update, and draw the curves of all."""
    for path in sorted(reports.glob("*.json")):
        decision = json.loads(path.read_text())
        sys.stdout.write(f"{path.stem}: {'sent' if decision['sent'] else 'blocked'}. {decision['reason']}\n")
    series = {path.stem: read_series(path) for path in sorted(reports.glob("*.parquet"))}
    if series:
        plot_series(series, reports / "curve.png")
        sys.stdout.write(f"curve: {reports / 'curve.png'}\n")
    for name in series:
        sys.stdout.write(f"gallery: {reports / name}.png\n")


def main() -> None:
    """Run the job, or export it by NVFLARE's own ``--export``, and show what each site kept."""
    given = arguments()
    workspace = given.workspace.resolve()
    reports = workspace / "reports"
    for old in (*reports.glob("*.json"), *reports.glob("*.parquet"), *reports.glob("*.png")):
        old.unlink()
    recipe = recipe_of(given.clients, given.rounds)
    for site in sites_of(given.clients) if given.action != "none" else []:
        action: Action = "defend" if given.action == "block" and site == given.defending else given.action
        guarding = LeakageFilter(
            DigitsClient(str(reports), given.originals),
            action=action,
            defenses=["prune:0.9", "gaussian:0.01"] if action == "defend" else [],
            refusal=given.refusal,
            reports=str(reports),
        )
        recipe.add_client_output_filter(guarding, tasks=["train"], clients=[site])
    try:
        recipe.execute(SimEnv(clients=sites_of(given.clients), workspace_root=str(workspace)))
    finally:
        show(reports)


if __name__ == "__main__":
    main()
