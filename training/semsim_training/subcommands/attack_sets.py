"""``semsim attack gallery``, ``table`` and ``compare``: what a finished reconstruction set shows."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semsim.commands.options import Model, Require, load_scorer
from semsim_training.subcommands.page_tables import checked, told

if TYPE_CHECKING:
    from semsim_training.reconstructions.schema import ReconstructionRow
    from semsim_training.reference_metrics.lpips import Lpips

Dataset = Annotated[Path, typer.Argument(help="A finished reconstruction set.")]
LpipsWeights = Annotated[Path | None, typer.Option("--lpips", help="Weights of LPIPS v0.1, AlexNet, .safetensors.")]
Write = Annotated[Path | None, typer.Option(help="Markdown file, to write the table between its <!-- MARK --> marks.")]


def gallery(
    dataset: Dataset,
    out: Annotated[Path | None, typer.Option(help="PNG to write.", show_default="DATASET/gallery.png")] = None,
    columns: Annotated[int, typer.Option(min=1, max=100, help="Images of each setting.")] = 12,
    settings: Annotated[str, typer.Option(help="Only settings whose name contains this.")] = "",
    align: Annotated[bool, typer.Option("--align", help="The same originals for all settings of a data set.")] = False,
    model: Model = None,
    require: Require = None,
) -> None:
    """Draw originals above reconstructions, by setting, with the leakage and PSNR of each, from most leakage to least.

    The picture shows originals: keep it to yourself.
    """
    from semsim.commands.progress_bar import progress_bar
    from semsim_training.reconstructions.gallery import draw_gallery
    from semsim_training.reconstructions.reconstruction_set import ReconstructionSet

    path = _writable(out or dataset / "gallery.png", "--out")
    scorer = load_scorer(model, require)
    with progress_bar() as show:
        drawn = draw_gallery(dataset, scorer, columns=columns, settings=settings, align=align, progress=show)
    drawn.save(path)
    typer.echo(str(path))
    _warn([row for row in ReconstructionSet.read(dataset).rows if settings in row.setting])


def table(
    dataset: Dataset,
    lpips: LpipsWeights = None,
    write: Write = None,
    mark: Annotated[str, typer.Option(help="Name of the marks.")] = "attacks",
    model: Model = None,
    require: Require = None,
) -> None:
    """Leakage, explained share, PSNR and SSIM, status, labels and time of every setting, as Markdown."""
    from semsim.commands.progress_bar import progress_bar
    from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
    from semsim_training.reconstructions.table import markdown

    checked(write, mark)
    made, scorer = ReconstructionSet.read(dataset), load_scorer(model, require)
    with progress_bar() as show:
        text = markdown(made, scorer, _lpips(lpips), show)
    told(text, write, mark)
    _warn(made.rows)


def compare(
    dataset: Dataset,
    by: Annotated[
        str, typer.Option(metavar="attack|defense|victim", help="The one thing in which compared settings differ.")
    ] = "attack",
    lpips: LpipsWeights = None,
    plot: Annotated[Path | None, typer.Option(help="PNG to write, with a panel for each measure.")] = None,
    write: Write = None,
    mark: Annotated[str, typer.Option(help="Name of the marks.")] = "comparison",
    model: Model = None,
    require: Require = None,
) -> None:
    """Attacks, defenses or victims on the same clients against each other: means and paired differences, as Markdown.

    Every figure has a 95% interval.
    """
    from semsim.commands.progress_bar import progress_bar
    from semsim.exceptions import InvalidOption
    from semsim_training.reconstructions.comparison import ComparedBy, check_comparable, compare_settings
    from semsim_training.reconstructions.comparison_table import comparison_table
    from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
    from semsim_training.reconstructions.scored_rows import score_rows

    if by not in set(ComparedBy):
        raise InvalidOption(f"expected --by {' or '.join(ComparedBy)}, got {by}")
    difference = ComparedBy(by)
    if plot is not None:
        _writable(plot, "--plot")
    checked(write, mark)
    made = ReconstructionSet.read(dataset)
    check_comparable(made, difference)
    scorer = load_scorer(model, require)
    with progress_bar() as show:
        scored = score_rows(made, made.rows, scorer, _lpips(lpips), show)
    compared = compare_settings(made, scored, difference)
    if plot is not None:
        from semsim_training.reconstructions.comparison_plot import comparison_plot

        plot.write_bytes(comparison_plot(compared, difference, f"{made.name}: means with 95% intervals, by {by}"))
    told(comparison_table(compared, difference), write, mark)
    _warn(made.rows)


def _writable(path: Path, option: str) -> Path:
    from semsim.exceptions import InvalidOption

    if path.suffix.lower() != ".png" or not path.absolute().parent.is_dir():
        raise InvalidOption(f"expected {option} as a .png file in an existing directory, got {path}")
    return path


def _lpips(weights: Path | None) -> "Lpips | None":
    """LPIPS with these weights. Torch is imported for a file that is there alone."""
    from semsim.exceptions import InvalidCheckpoint

    if weights is None:
        return None
    if not weights.is_file():
        raise InvalidCheckpoint(f"expected a safetensors file at {weights}, got none")
    from semsim_training.reference_metrics.lpips import Lpips

    return Lpips(weights)


def _warn(rows: "Sequence[ReconstructionRow]") -> None:
    """Name on the error stream the settings in which nothing was found, apart from what is shown."""
    from semsim_training.reconstructions.unexplained_settings import unexplained_settings

    if told := unexplained_settings(rows):
        typer.echo(told, err=True)
