"""A federated run with a leakage filter on each client, in NVFLARE's simulator.

python examples/nvflare/job.py --action report
"""

import argparse
import json
import sys
from pathlib import Path

from digits import DigitNetwork, DigitsClient
from nvflare.app_opt.pt.recipes.fedavg import FedAvgRecipe
from nvflare.recipe import SimEnv

from semsim_federation.nvflare import LeakageFilter

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Build the job and run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--action", choices=("report", "block", "defend"), default="report")
    parser.add_argument("--refusal", choices=("error", "empty"), default="empty")
    parser.add_argument("--site", action="store_true", help="put the filter into the sites' privacy.json, not the job")
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--noisy", default="site-2", help="a client that adds noise to its updates; '' for none")
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/semsim-nvflare"))  # noqa: S108  # as NVFLARE's own
    options = parser.parse_args()
    workspace = options.workspace.resolve()
    privacy, reports = workspace / "digits" / "local" / "privacy.json", workspace / "reports"
    for old in (privacy, *reports.glob("*.json")):
        old.unlink(missing_ok=True)
    recipe = FedAvgRecipe(
        name="digits",
        model=DigitNetwork(),
        min_clients=options.clients,
        num_rounds=options.rounds,
        train_script=str(HERE / "client.py"),
        train_args=f"--noisy={options.noisy}",
    )
    arguments = {
        "action": options.action,
        "refusal": options.refusal,
        "defenses": ["prune:0.9", "gaussian:0.003"] if options.action == "defend" else [],
        "reports": str(reports),
    }
    if options.site:
        scope = {
            "scopes": [
                {
                    "name": "audited",
                    "task_result_filters": [{"path": "semsim_federation.nvflare.LeakageFilter", "args": arguments}],
                }
            ],
            "default_scope": "audited",
            "components": [{"id": "audited_client", "path": "digits.DigitsClient"}],
        }
        privacy.parent.mkdir(parents=True, exist_ok=True)  # the simulator copies this folder to every site
        privacy.write_text(json.dumps(scope, indent=2))
    else:
        recipe.add_client_output_filter(LeakageFilter(DigitsClient(), **arguments), tasks=["train"])
    recipe.run(SimEnv(num_clients=options.clients, workspace_root=str(workspace)))
    for path in sorted(reports.glob("*.json")):
        decision = json.loads(path.read_text())
        sys.stdout.write(f"{path.stem}: {'sent' if decision['sent'] else 'blocked'}. {decision['reason']}\n")


if __name__ == "__main__":
    main()
