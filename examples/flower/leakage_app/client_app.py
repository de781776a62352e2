"""The clients: client 0 blocks what leaks, the others add noise until nothing is shown to leak."""

from collections.abc import Sequence

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable
from numpy.typing import NDArray

from semsim_federation import Decision
from semsim_federation.flower import LeakageGuard

from .rows import write_row
from .task import audit, client_batch, train

app = ClientApp()


def batch(ctx: Context) -> tuple[NDArray[np.uint8], Sequence[int]]:
    """Return the images and labels of the round that :func:`step` noted in the client's state."""
    return client_batch(int(ctx.node_config["partition-id"]), int(ctx.state.metric_records["step"]["round"]))


def write(ctx: Context, decision: Decision) -> None:
    """Append the decision to the client's own series and gallery, which stay with the client."""
    if decision.report is not None:
        client = f"client-{ctx.node_config['partition-id']}"
        write_row(ctx, client, decision.report, batch(ctx)[0], sent=decision.send is not None)


blocking = LeakageGuard(lambda ctx: audit(), batch, action="block", record=write)
defending = LeakageGuard(lambda ctx: audit(), batch, action="defend", defenses=["gaussian:0.01"], record=write)


def guard(msg: Message, ctx: Context, call_next: ClientAppCallable) -> Message:
    """Use the guard of this client. An app whose clients are all alike names its guard in the list itself."""
    return (defending if ctx.node_config["partition-id"] else blocking)(msg, ctx, call_next)


@app.train(mods=[guard])  # type: ignore[untyped-decorator]  # mypy does not see Flower
def step(msg: Message, ctx: Context) -> Message:
    """Train on the images of the round, by one step."""
    number = int(msg.content.config_records["config"]["server-round"])
    ctx.state["step"] = MetricRecord({"round": number})
    images, labels = batch(ctx)
    weights = {name: array.numpy() for name, array in msg.content.array_records["arrays"].items()}
    trained = ArrayRecord({name: Array(value) for name, value in train(weights, images, labels).items()})
    metrics = MetricRecord({"num-examples": len(images)})
    return Message(RecordDict({"arrays": trained, "metrics": metrics}), reply_to=msg)
