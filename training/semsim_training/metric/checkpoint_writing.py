"""Writes a trained embedding as ``semsim export`` reads it."""

from pathlib import Path

from safetensors.torch import save_file

from semsim.manifest import Annotators, HeldOutResult, InputSpec
from semsim.manifest import TrainingRecord as ManifestRecord
from semsim_training.checkpoint import CheckpointDescription
from semsim_training.embedding import EmbeddingNetwork
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.metric.calibrated_network import CalibratedNetwork
from semsim_training.metric.metric_recipe import MetricRecipe, MetricTraining

WEIGHTS = "model.safetensors"
"""The file of a checkpoint's weights; its description stands beside it."""


def describe(training: MetricTraining, judged: JudgedSet, annotators: Annotators) -> CheckpointDescription:
    """The description of a network trained on ``judged``, without calibration and results."""
    recipe = training.chosen
    return CheckpointDescription(
        **training.about.model_dump(),
        input=InputSpec(height=recipe.size, width=recipe.size),
        architecture=recipe.architecture,
        levels=recipe.levels,
        mean=recipe.mean,
        std=recipe.std,
        normalize_embedding=recipe.levels is None,
        training=ManifestRecord(
            summary=_sentence(recipe, judged),
            on_annotations=True,
            datasets=judged.values(lambda row: row.dataset),
            victims=judged.values(lambda row: row.victim),
            attacks=judged.values(lambda row: row.preset),
            defenses=tuple(value for value in judged.values(lambda row: row.defense) if value != "none"),
            annotators=(annotators,),
        ),
    )


def _sentence(recipe: MetricRecipe, judged: JudgedSet) -> str:
    begun = "random weights" if recipe.pretrained is None else f"the weights of {recipe.pretrained.name}"
    return (
        f"Recipe {recipe.name}: {recipe.architecture} from {begun}, {recipe.epochs} epochs on comparisons of "
        f"{len(judged)} reconstructions of {len(judged.original_names)} originals in "
        f"{len(judged.setting_names)} settings."
    )


def save_network(network: EmbeddingNetwork, path: Path) -> None:
    """Write the backbone's weights (safetensors), under the names that its architecture gives them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({name: value.cpu().contiguous() for name, value in network.backbone.state_dict().items()}, partial)
    partial.replace(path)


def write_checkpoint(
    directory: Path,
    description: CheckpointDescription,
    calibrated: CalibratedNetwork,
    results: tuple[HeldOutResult, ...],
) -> None:
    """Write the weights of a calibrated network, and its description with calibration and results."""
    update = {
        "calibration": calibrated.calibration,
        "calibration_draws": calibrated.draws,
        "threshold": calibrated.threshold,
        "results": results,
    }
    final = CheckpointDescription.model_validate(description.model_copy(update=update).model_dump())
    weights = directory / WEIGHTS
    save_network(calibrated.network, weights)
    weights.with_suffix(".json").write_text(final.model_dump_json(indent=2) + "\n")
