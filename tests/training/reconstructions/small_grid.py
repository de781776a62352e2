"""A small grid over images that anybody may have."""

from pathlib import Path

from PIL import Image

from semsim_training.reconstructions.grid import Grid
from tests.training.small import smooth_images

SETTINGS = [
    {
        "images": "small",
        "victim": "lenet",
        "attack": {"preset": "smooth", "iterations": 30},
        "defense": ["none", "sign"],
    },
    {"images": "small", "victim": "mlp", "attack": {"preset": "closed-form"}, "count": 6},
    {"images": "small", "victim": "lenet", "attack": {"preset": "inversed", "iterations": 10}, "batch": 3},
]


def write_images(root: Path) -> Path:
    """Two classes of six images of 16 pixels below a folder."""
    for index, image in enumerate(smooth_images(12, 16)):
        path = root / ("left" if index % 2 else "right") / f"{index:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return root


def grid(folder: Path, **changes: object) -> Grid:
    """A grid over the folder, with two small victims."""
    network = {"classes": 2, "size": 16}
    values: dict[str, object] = {
        "name": "small",
        "batch_size": 5,
        "images": {"small": {"folder": str(folder), "size": 16, "count": 12}},
        "victims": {
            "lenet": {"network": network | {"architecture": "lenet"}, "initialisation": "uniform"},
            "mlp": {"network": network | {"architecture": "perceptron", "width": 16}},
        },
        "settings": SETTINGS,
    }
    return Grid.model_validate(values | changes)
