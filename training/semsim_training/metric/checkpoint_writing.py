"""A trained embedding on disk, as ``semsim export`` reads it."""

from pathlib import Path

from safetensors.torch import save_file

from semsim.manifest import Annotators, InputSpec
from semsim.manifest import TrainingRecord as ManifestRecord
from semsim_training.checkpoint import CheckpointDescription
from semsim_training.embedding import EmbeddingNetwork
from semsim_training.metric.judged import JudgedReconstructions
from semsim_training.metric.metric_recipe import MetricRecipe, MetricTraining


def describe(training: MetricTraining, judged: JudgedReconstructions, annotators: Annotators) -> CheckpointDescription:
    """What a network trained on ``judged`` is; without calibration and results."""
    recipe = training.resolved[0]
    return CheckpointDescription(
        **training.about.model_dump(),
        input=InputSpec(height=recipe.size, width=recipe.size),
        architecture=recipe.architecture,
        mean=recipe.mean,
        std=recipe.std,
        normalize_embedding=True,
        training=ManifestRecord(
            summary=_sentence(recipe, judged),
            on_annotations=True,
            datasets=judged.values("dataset"),
            victims=judged.values("victim"),
            attacks=judged.values("attack"),
            defenses=tuple(value for value in judged.values("defense") if value != "none"),
            annotators=(annotators,),
        ),
    )


def _sentence(recipe: MetricRecipe, judged: JudgedReconstructions) -> str:
    begun = "random weights" if recipe.pretrained is None else f"the weights of {recipe.pretrained.name}"
    return (
        f"MetricRecipe {recipe.name}: {recipe.architecture} from {begun}, {recipe.epochs} epochs on comparisons of "
        f"{len(judged)} reconstructions of {len(judged.values('image'))} originals in "
        f"{len(judged.values('setting'))} settings."
    )


def save_network(network: EmbeddingNetwork, path: Path) -> None:
    """Write the backbone's weights (safetensors), under the names that its architecture gives them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({name: value.cpu().contiguous() for name, value in network.backbone.state_dict().items()}, partial)
    partial.replace(path)
