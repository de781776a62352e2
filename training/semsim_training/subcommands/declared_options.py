"""The options by which a user declares a network and its local training, shared by the commands that take an update."""

from pathlib import Path
from typing import Annotated

import typer

_NETWORK, _TRAINING = "The network", "Local training"

Description = Annotated[
    Path | None,
    typer.Option(
        help="Description of the network, JSON.",
        show_default="the weights' file with suffix .json",
        rich_help_panel=_NETWORK,
    ),
]
Module = Annotated[
    str | None,
    typer.Option(
        metavar="FILE.py:NAME|MODULE:NAME",
        help="The network, as code that makes it. It is executed.",
        rich_help_panel=_NETWORK,
    ),
]
Size = Annotated[
    str | None, typer.Option(metavar="HxW", help="With --module: pixels of its images.", rich_help_panel=_NETWORK)
]
Channels = Annotated[
    int | None, typer.Option(help="With --module: 1 or 3.", show_default="3", rich_help_panel=_NETWORK)
]
Classes = Annotated[int | None, typer.Option(help="With --module: the number of classes.", rich_help_panel=_NETWORK)]
Mean = Annotated[
    str | None, typer.Option(help="With --module: subtracted from each channel.", rich_help_panel=_NETWORK)
]
Std = Annotated[
    str | None, typer.Option(help="With --module: what the difference is divided by.", rich_help_panel=_NETWORK)
]
White = Annotated[
    int | None,
    typer.Option(
        metavar="255|1", help="White in the unit of mean and std.", show_default="255", rich_help_panel=_NETWORK
    ),
]
LearningRate = Annotated[float | None, typer.Option(help="Learning rate of local training.", rich_help_panel=_TRAINING)]
LocalBatch = Annotated[int | None, typer.Option(min=1, show_default="all images", rich_help_panel=_TRAINING)]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Epochs of local training.", show_default="1", rich_help_panel=_TRAINING)
]
Optimiser = Annotated[str | None, typer.Option(metavar="sgd|adam|adamw", show_default="sgd", rich_help_panel=_TRAINING)]
Momentum = Annotated[float | None, typer.Option(help="Momentum of SGD.", rich_help_panel=_TRAINING)]
Nesterov = Annotated[
    bool | None, typer.Option("--nesterov", help="SGD with Nesterov's momentum.", rich_help_panel=_TRAINING)
]
WeightDecay = Annotated[float | None, typer.Option(help="Weight decay of local training.", rich_help_panel=_TRAINING)]
Betas = Annotated[
    str | None, typer.Option(help="Of Adam and AdamW.", show_default="0.9,0.999", rich_help_panel=_TRAINING)
]
Epsilon = Annotated[
    float | None, typer.Option(help="Of Adam and AdamW.", show_default="1e-8", rich_help_panel=_TRAINING)
]
ClipNorm = Annotated[
    float | None, typer.Option(help="Norm that each step's gradient is clipped to.", rich_help_panel=_TRAINING)
]
Schedule = Annotated[
    str | None, typer.Option(help="Factor of the learning rate at each step: 1,0.5.", rich_help_panel=_TRAINING)
]
Order = Annotated[
    str | None, typer.Option(help="Images as each epoch takes them: 0,1,2;2,0,1.", rich_help_panel=_TRAINING)
]
