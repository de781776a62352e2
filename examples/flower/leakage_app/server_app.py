"""The server: federated averaging, and a probe with a public image before the first and after each round."""

from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from semsim_federation.flower import leakage_probe

from .rows import write_row
from .task import audit, initial_network, probe_batch, train

app = ServerApp()


@app.main()  # type: ignore[untyped-decorator]  # mypy does not see Flower
def main(grid: Grid, ctx: Context) -> None:
    """Train for the rounds of the configuration."""
    clients = int(ctx.run_config["clients"])
    strategy = FedAvg(min_train_nodes=clients, min_available_nodes=clients, fraction_evaluate=0.0)
    images, labels = probe_batch()
    result = strategy.start(
        grid,
        ArrayRecord(initial_network().state_dict()),
        num_rounds=int(ctx.run_config["rounds"]),
        evaluate_fn=leakage_probe(
            audit(), train, images, labels, record=lambda report: write_row(ctx, "probe", report, images, sent=None)
        ),
    )
    print(f"The run ended after {len(result.evaluate_metrics_serverapp) - 1} rounds.")
