"""The kind of network that a victim is, by its name: what is left out of training together."""

_FAMILIES = {
    "lenet": "LeNet",
    "perceptron": "perceptron",
    "imprint": "imprint",
    "scaled-imprint": "imprint",
    "convnet": "convolutional",
    "resnet": "residual",
    "mobilenet": "depthwise",
    "small-densenet": "densely connected",
    "vit": "transformer",
}


def family_of(victim: str) -> str:
    """The family of a victim whose name begins with its architecture, as in the committed grids: ``resnet20-trained``.

    A victim of any other name is a family of its own.
    """
    return next((family for start, family in _FAMILIES.items() if victim.startswith(start)), victim)
