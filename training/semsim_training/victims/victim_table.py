"""The victims of a directory as a Markdown table."""

from pathlib import Path

from semsim.exceptions import InvalidVictim
from semsim_training.victims.victim_checkpoint import VictimDescription

_HEADER = (
    "| victim | network | trained on | images | epochs | changes of images | defense in training | test accuracy |"
)


def victim_table(directory: Path) -> str:
    """A row for each trained victim whose weights and description lie in ``directory``, by name.

    Raises:
        InvalidVictim: there is none, or a description is missing or damaged.
    """
    rows = []
    for path in sorted(directory.glob("*.safetensors")):
        if path.name.endswith(".state.safetensors"):  # of a training that goes on
            continue
        description = VictimDescription.read(path.with_suffix(".json"))
        record = description.training
        if record is not None:
            rows.append(
                f"| `{path.stem}` | {description.network.label} at {description.network.size} | {record.dataset} "
                f"| {record.images:,} | {record.epochs} | {record.mode} | {record.defense} "
                f"| {record.test_accuracy:.1%} of {record.test_images:,} |"
            )
    if not rows:
        raise InvalidVictim(f"expected trained victims in {directory}, got none")
    return "\n".join([_HEADER, "|---|---|---|---|---|---|---|---|", *rows])
