"""Recipes for training an embedding: network, triplets, loss, schedule; and the configuration that names them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from semsim_training.backbones import SMALL_RESNET18
from semsim_training.configuration import Configuration, FrozenModel
from semsim_training.judged.judged_sources import JudgedSources
from semsim_training.levels import Levels

_Triple = tuple[float, float, float]


class MetricRecipe(FrozenModel):
    """A recipe. The defaults are what most recipes share."""

    name: str
    architecture: str
    """The name of a network, as :func:`semsim_training.backbones.build_backbone` takes it."""
    pretrained: Path | None = None
    """The weights to begin with, relative to the configuration, with variables; ``None`` for random ones."""
    levels: Levels | None = None
    """The stages whose features are the embedding; ``None`` for the pooled features, of unit length."""
    learned: Literal["all", "levels"] = "all"
    """``levels``: the channel weights or matrices of the levels alone are learned, and the network stays as it is."""
    size: int = Field(ge=16, le=512)
    """The side of the input, in pixels."""
    mean: _Triple
    std: _Triple
    sampling: Literal["triplets", "groups"] = "groups"
    """The comparisons of a step. ``triplets``: one for each recognised reconstruction, as in the paper. ``groups``: any
    two reconstructions whose shares differ, of several originals with several reconstructions each."""
    batch: int = Field(ge=1)
    """The number of triplets, or of originals in a group, of a step."""
    reconstructions: int = Field(default=6, ge=2)
    """The number of reconstructions of each original in a group."""
    anchors: Literal["same", "any"] = "same"
    """The anchors of the two reconstructions of a comparison in a group. ``same``: both belong to one original, as in
    triplets. ``any``: they may belong to different originals, each of them an anchor (the quadruplets of Chen et al.,
    CVPR 2017), which makes distances comparable between originals."""
    strangers: bool = False
    """True: in groups, an original of another class and a clear reconstruction of it shall be farther, too. Without
    these a network may learn to tell noise from photographs and not to compare."""
    loss: Literal["hinge", "soft"] = "hinge"
    """``max(0, d+ - d- + margin)``, or its smooth form ``t log(1 + exp((d+ - d- + margin) / t))``
    (Hermans et al., 2017)."""
    margin: float = Field(default=1.0, ge=0)
    temperature: float = Field(default=0.1, gt=0)
    graded: bool = False
    """True: the margin is multiplied by the difference of shares, so that clear cases are pulled apart most."""
    mining: Literal["all", "semi-hard"] = "all"
    """The comparisons that count. ``semi-hard``: those whose negative is farther than the positive, but within the
    margin (Schroff et al., 2015)."""
    augmentation: Literal["none", "crop", "joint"] = "joint"
    """``crop``: each image is padded by an eighth, cropped and flipped for itself. ``joint``: an original and its
    reconstructions are flipped, moved, zoomed and coloured alike."""
    blur: float = Field(default=0.0, ge=0)
    """Half of the recognised reconstructions are blurred by up to so many pixels, too few to hide what they show.
    Attacks that blur fail at much else, and a network may take the least blur for a failure. Unrecognised
    reconstructions are not blurred, since a blur might uncover what noise hid."""
    light: float = Field(default=0.0, ge=0, le=0.8)
    """Half of the recognised reconstructions get up to so much less contrast and another brightness, which hide
    nothing."""
    noise: float = Field(default=0.0, ge=0, le=60)
    """Half of the recognised reconstructions get noise with a standard deviation of up to so many levels, too little to
    hide what they show."""
    mirror: float = Field(default=0.0, ge=0, le=1)
    """The share of the reconstructions that are mirrored while their originals are not. Their judgements are kept,
    since annotators name mirrored pictures as often as others."""
    grey: float = Field(default=0.0, ge=0, le=1)
    """The share of the reconstructions that lose their colour while their originals keep it. Their judgements are kept,
    as those of mirrored ones are."""
    shift: float = Field(default=0.0, ge=0, le=0.5)
    """Half of the recognised reconstructions are moved by up to this part of their side in each direction, and what
    they leave is grey: so reconstruct clients' policies of augmentation, and annotators go on to name what they see."""
    optimiser: Literal["sgd", "adamw"] = "adamw"
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    tether: float = Field(default=0.0, ge=0)
    """The weight of the squared distance of all learned parameters from what they began with (Li et al., "Explicit
    Inductive Bias for Transfer Learning with Convolutional Networks", ICML 2018)."""
    schedule: Literal["steps", "cosine"] = "cosine"
    """``steps``: the learning rate falls to a tenth at 3/8, 5/8 and 7/8 of the epochs."""
    epochs: int = Field(ge=1)
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    bfloat16: bool = False
    """True: the network trains in bfloat16, its weights and the loss stay in float32 (Micikevicius et al., "Mixed
    Precision Training", ICLR 2018). A wide network then trains three times as fast on a processor with AMX."""
    frozen_statistics: bool = False
    """True: batch normalisation keeps the statistics that the weights came with."""

    @model_validator(mode="after")
    def _levels_to_learn(self) -> Self:
        if self.learned == "levels" and self.levels is None:
            raise ValueError("expected levels, whose weights alone are learned, got none")
        return self


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
"""The recipe of Sun et al. (NeurIPS 2023), section 4: ResNet-18 without its classifier, ``TripletMarginLoss(margin=1,
p=2)`` on unit embeddings, the original as anchor; schedule, crop and CIFAR-100 statistics are those of the authors'
code. That code also takes other members of a folder as anchors, and distances of embeddings that are not of unit
length. Here the anchor is the original, as the paper says, and the distance is the one that was trained."""


class About(FrozenModel):
    """The facts about a checkpoint that no run can tell."""

    name: str
    version: str
    summary: str
    licence: str
    source: str


class Baselines(FrozenModel):
    """The metrics to compare with, beside MSE, PSNR and SSIM."""

    lpips: Path | None = None
    """The weights of LPIPS v0.1, AlexNet."""
    artifacts: Mapping[str, Path] = {}
    """The directories of model artifacts, by name."""


TrainingPart = Literal["all", "untrained", "trained"]
"""All training reconstructions, or those of victims that were not trained, or of those that were."""


class MetricTraining(Configuration):
    """The configuration of a training: judged sets, recipes, seeds, metrics to compare with."""

    about: About
    judged: JudgedSources
    recipes: tuple[MetricRecipe | Literal["paper"], ...] = Field(min_length=1)
    """The first is trained and exported; ``semsim train select`` compares all."""
    because: str = ""
    """The reason why the first recipe is the first, for the model card."""
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    parts: tuple[TrainingPart, ...] = Field(default=("all",), min_length=1)
    """The parts of the training reconstructions, by their victims. Every seed trains on each part."""
    baselines: Baselines = Baselines()

    @property
    def candidates(self) -> tuple[MetricRecipe, ...]:
        """The recipes to choose from."""
        return tuple(PAPER if recipe == "paper" else recipe for recipe in self.recipes)

    @property
    def chosen(self) -> MetricRecipe:
        """The recipe that is trained and exported."""
        return self.candidates[0]
