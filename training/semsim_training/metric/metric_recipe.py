"""How an embedding is trained: network, triplets, loss, schedule."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from semsim_training.backbones import SMALL_RESNET18
from semsim_training.configuration import read_configuration
from semsim_training.metric.judged import Judged

_Triple = tuple[float, float, float]


class MetricRecipe(BaseModel):
    """A recipe; the field's defaults are what most recipes share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    architecture: str
    """See :func:`semsim_training.backbones.build_backbone`."""
    pretrained: Path | None = None
    """Weights to begin with; none: random ones. Relative to the configuration; variables are put in."""
    size: int = Field(ge=16, le=512)
    """Side of the input, in pixels."""
    mean: _Triple
    std: _Triple
    sampling: Literal["triplets", "groups"] = "groups"
    """``triplets``: as in the paper, one for each recognised reconstruction. ``groups``: some originals with several
    reconstructions each, and every pair of these whose shares differ."""
    batch: int = Field(ge=1)
    """Triplets, or originals, a step."""
    reconstructions: int = Field(default=6, ge=2)
    """Of each original in a group."""
    anchors: Literal["same", "any"] = "same"
    """``same``: triplets. ``any``: the two reconstructions may belong to different originals, each with its own anchor
    (the quadruplets of Chen et al., CVPR 2017), which makes distances comparable between originals."""
    strangers: bool = False
    """In groups: whether a clear reconstruction of an original of another class shall be farther, too.

    Without, a network may learn to tell noise from photographs and not to compare."""
    loss: Literal["hinge", "soft"] = "hinge"
    """``max(0, d+ - d- + margin)``, or its smooth form ``t log(1 + exp((d+ - d- + margin) / t))``
    (Hermans et al., 2017)."""
    margin: float = Field(default=1.0, ge=0)
    temperature: float = Field(default=0.1, gt=0)
    graded: bool = False
    """Whether the margin is multiplied by the difference of shares, so that clear cases are pulled apart most."""
    mining: Literal["all", "semi-hard"] = "all"
    """``semi-hard``: only negatives farther than the positive, but within the margin (Schroff et al., 2015)."""
    augmentation: Literal["none", "crop", "joint"] = "joint"
    """``crop``: pad by an eighth, crop and flip, each image for itself. ``joint``: flip, move, zoom and colour, an
    original and its reconstructions alike."""
    blur: float = Field(default=0.0, ge=0)
    """Half of the recognised reconstructions, and they alone, are blurred by up to so many pixels, which shall be too
    few to hide what they show. Attacks that blur fail at much else, and a network may take the least blur for a
    failure. In what was not recognised a blur might uncover what noise hid."""
    optimiser: Literal["sgd", "adamw"] = "adamw"
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["steps", "cosine"] = "cosine"
    """``steps``: a tenth at 3/8, 5/8 and 7/8 of the epochs."""
    epochs: int = Field(ge=1)
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    frozen_statistics: bool = False
    """Whether batch normalisation keeps the statistics that the weights came with."""


PAPER = MetricRecipe(
    name="paper",
    architecture=SMALL_RESNET18,
    size=32,
    mean=(129.3, 124.1, 112.4),
    std=(68.2, 65.4, 70.4),
    sampling="triplets",
    batch=64,
    margin=1.0,
    augmentation="crop",
    optimiser="sgd",
    learning_rate=0.05,
    weight_decay=5e-4,
    schedule="steps",
    epochs=100,
)
"""Sun et al. (NeurIPS 2023), section 4: ResNet-18 without its classifier, ``TripletMarginLoss(margin=1, p=2)`` on unit
embeddings, the original as anchor; schedule, crop and CIFAR-100 statistics as in the authors' code. (That code also
takes other members of a folder as anchors, and takes distances of embeddings that are not of unit length: here
the anchor is the original, as the paper says, and the distance is the one that was trained.)"""


class About(BaseModel):
    """What a checkpoint says of itself that no run can tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    summary: str
    licence: str
    source: str


class Baselines(BaseModel):
    """Metrics to compare with, beside MSE, PSNR and SSIM."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lpips: Path | None = None
    """Weights of LPIPS v0.1, AlexNet."""
    artifacts: Mapping[str, Path] = {}
    """Directories of model artifacts, by name."""


class MetricTraining(BaseModel):
    """A configuration file: judged sets, recipes to choose from, seeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: About
    judged: Judged
    recipes: tuple[MetricRecipe | Literal["paper"], ...] = Field(min_length=1)
    """The first is trained and exported; all are compared by ``semsim train select``."""
    because: str = ""
    """Why the first is the first, for the model card."""
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    baselines: Baselines = Baselines()

    @property
    def resolved(self) -> tuple[MetricRecipe, ...]:
        """The recipes themselves."""
        return tuple(PAPER if recipe == "paper" else recipe for recipe in self.recipes)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a configuration file.

        Raises:
            InvalidConfiguration: no such file, no YAML, or it does not fit the schema.
        """
        return read_configuration(cls, path)
