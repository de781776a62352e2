"""``semsim train``: trains the metric itself, compares recipes, and writes the model card."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from semsim_training.metric.metric_comparison import Comparison
    from semsim_training.metric.metric_recipe import MetricTraining

app = typer.Typer(no_args_is_help=True, help="Train the metric on judged reconstructions.")

Config = Annotated[Path, typer.Argument(help="Judged sets, recipes and seeds, YAML.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Epochs of each training.", show_default="the recipe's")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]


@app.command("run", epilog="Example: semsim train run configs/metric/default.yaml build/trained")
def run(
    config: Config,
    out: Annotated[Path, typer.Argument(help="Directory for the checkpoint, its description and training.json.")],
    device: Device = "cpu",
) -> None:
    """Train the first recipe with every seed, calibrate the best network or the mean of all, and measure it.

    An interrupted run goes on. Under torchrun several processes train together.
    """
    from semsim.commands.progress_bar import progress_bar
    from semsim.memory import keep_freed_memory
    from semsim_training.distributed import together
    from semsim_training.metric.experiment import run as train

    keep_freed_memory()
    training = _training(config, out)
    with together(device) as device_here, progress_bar() as show:
        report = train(training, config.parent, out, progress=show, device=device_here)
    if report is None:  # The first process alone measures and tells.
        return
    for one in report.runs:
        chosen = " (chosen)" if one.name == report.chosen else ""
        typer.echo(f"{one.name}: AUC {one.validation_auc:.3f} on validation, {one.test_auc:.3f} on test{chosen}")
    for comparison in report.comparisons:
        typer.echo(_sentence(comparison))


@app.command("select", epilog="Example: semsim train select configs/metric/default.yaml build/selection")
def select(
    config: Config,
    out: Annotated[Path, typer.Argument(help="Directory for selection.json; what is in it is not done again.")],
    folds: Annotated[int, typer.Option(min=2, help="Folds of originals and of settings.")] = 3,
    epochs: Epochs = None,
    recipe: Annotated[
        list[str] | None, typer.Option(help="Recipe to measure, without selection.json.", show_default="all")
    ] = None,
    device: Device = "cpu",
) -> None:
    """Cross-validate every recipe, grouped by original and by setting; the test split is not read.

    Several processes can share OUT, each with other recipes (--recipe), before a last one without gathers all.
    """
    from semsim.commands.progress_bar import progress_bar
    from semsim.memory import keep_freed_memory
    from semsim_training.metric.recipe_selection import select as cross_validate

    keep_freed_memory()
    training = _training(config, out, epochs=epochs, compared=recipe or ())
    with progress_bar() as show:
        scores = cross_validate(
            training, config.parent, out,
            folds=folds, epochs=epochs, only=recipe or (), progress=show, device=device,
        )  # fmt: skip
    for score in scores:
        each, over = ", ".join(f"{fold.auc:.3f}" for fold in score.folds), score.gain
        lead = ""
        if over is not None and over.value is not None and over.low is not None and over.high is not None:
            lead = f", {over.value:+.3f} ({over.low:+.3f} to {over.high:+.3f}) over the first"
        typer.echo(
            f"{score.recipe}: AUC {score.auc:.3f} ({each}){lead}, strangers {score.strangers:.3f}, "
            f"copies {score.copies:.3f}, moved {score.moved:.2f}, mirrored {score.mirrored:.2f}"
        )


@app.command("hold-out", epilog="Example: semsim train hold-out configs/metric/default.yaml build/held-out")
def hold_out(
    config: Config,
    out: Annotated[Path, typer.Argument(help="Directory for hold-out.json; what is in it is not done again.")],
    field: Annotated[
        list[str] | None, typer.Option(metavar="attack|victim|dataset", help="Field to leave out.", show_default="all")
    ] = None,
    epochs: Epochs = None,
    device: Device = "cpu",
) -> None:
    """Train without one attack, family of victims or data set at a time, and measure there beside other metrics."""
    from semsim.commands.progress_bar import progress_bar
    from semsim.exceptions import InvalidOption
    from semsim.memory import keep_freed_memory
    from semsim_training.judged.sized_set import SizedSet
    from semsim_training.metric.baselines import baseline_metrics
    from semsim_training.metric.hold_out import FIELDS
    from semsim_training.metric.hold_out import hold_out as leave_out

    unknown = [name for name in field or () if name not in FIELDS]
    if unknown:
        raise InvalidOption(f"expected --field {', '.join(FIELDS)}, got {unknown[0]}")
    keep_freed_memory()
    training = _training(config, out, epochs=epochs)
    sized = SizedSet.of(training.judged.read(config.parent), training.chosen.size)
    with progress_bar() as show:
        others = baseline_metrics(training.baselines, sized.judged, config.parent, out / "values", progress=show)
        held_out = leave_out(
            training, config.parent, out, others, sized, progress=show, device=device, epochs=epochs,
            fields=[name for name in FIELDS if not field or name in field],
        )  # fmt: skip
    for one in held_out.results:
        typer.echo(_sentence(one.comparison))
    for what, why in held_out.left_out.items():
        typer.echo(f"not measured: {what}: {why}", err=True)


@app.command(
    "card",
    epilog="Example: semsim train card configs/metric/default.yaml build/trained models/mine --held-out build/held-out",
)
def card(
    config: Config,
    trained: Annotated[Path, typer.Argument(help="Directory of `semsim train run`.")],
    out: Annotated[Path, typer.Argument(help="Directory for README.md and reliability.png: the artifact's.")],
    held_out: Annotated[Path | None, typer.Option(help="Directory of `semsim train hold-out`.")] = None,
    selection: Annotated[Path | None, typer.Option(help="Directory of `semsim train select`.")] = None,
) -> None:
    """Write the model card from what was measured."""
    from semsim_training.metric.card import write_card
    from semsim_training.metric.metric_recipe import MetricTraining

    write_card(MetricTraining.read(config), config.parent, trained, out, held_out, selection)
    typer.echo(f"{out / 'README.md'}")


@app.command("sets", epilog="Example: semsim train sets configs/metric/default.yaml")
def sets(config: Config) -> None:
    """Print the directory of each set that is finished and judged, one a line; those that are not yet are told."""
    import os

    from semsim_training.configuration import expanded

    for source in _training(config).judged.sets:
        typer.echo(os.path.relpath(config.parent / expanded(source.dataset)))


def _training(
    config: Path, out: Path | None = None, *, epochs: int | None = None, compared: Sequence[str] | None = None
) -> "MetricTraining":
    """The configuration without the sets that are left out yet.

    The results in ``out`` must be of the same sets and judgements, and of the same recipe in so many epochs: of the
    chosen one, or of those that are ``compared``, all where it is empty.
    """
    from semsim_training.metric.metric_recipe import MetricTraining
    from semsim_training.metric.used_inputs import UsedInputs

    training = MetricTraining.read(config)
    judged, left_out = training.judged.finished(config.parent)
    for name, reason in left_out.items():
        typer.echo(f"left out: {name}: {reason}", err=True)
    if out is not None:
        recipes = {"the chosen recipe": training.chosen}
        if compared is not None:
            recipes = {one.name: one for one in training.candidates if not compared or one.name in compared}
        changed = {} if epochs is None else {"epochs": epochs}
        parts = [source.read(config.parent, judged.kind, judged.gold) for source in judged.sets]
        sets = [(name, part.sha256) for name, part in zip(judged.names, parts, strict=True)]
        UsedInputs.keep(out, sets, {name: one.model_copy(update=changed) for name, one in recipes.items()})
    return training.model_copy(update={"judged": judged})


def _sentence(comparison: "Comparison") -> str:
    from semsim_training.metric.metric_comparison import TRAINED

    trained, other = comparison.of(TRAINED).auc, comparison.best_other
    return (
        f"{comparison.what}, {comparison.items} reconstructions judged by a {comparison.judged_by}: "
        f"AUC {trained.value:.3f} ({trained.low:.3f} to {trained.high:.3f}); "
        f"best other {other.metric} {other.auc.value:.3f}"
    )


if __name__ == "__main__":  # torchrun starts modules.
    app()
