"""AUC over the time a pair: ``python -m semsim_export.time_curve CONFIG SELECTION --beside RECIPE [--write PAGE]``.

Each recipe that ``semsim train select`` compared is timed as the graph that ``semsim export`` makes of it, in turn with
that of another recipe in the same process.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from time import process_time

import numpy as np
import onnxruntime

from semsim.exceptions import InvalidOption
from semsim.manifest import InputSpec
from semsim.providers import INPUT_NAME, OUTPUT_NAME
from semsim_export.graph import to_onnx
from semsim_training.levels import Levels
from semsim_training.machine import machine
from semsim_training.markdown import around_marks, write_between
from semsim_training.metric.metric_recipe import MetricRecipe, MetricTraining
from semsim_training.metric.metric_training import build_embedding_network
from semsim_training.metric.recipe_selection import RecipeScore, read_selection
from semsim_training.statistics.intervals import Floats

MARK = "auc-over-time"
RUNS, IMAGES = 31, 16


@dataclass(frozen=True, slots=True)
class TimedRecipe:
    """A compared recipe, and its time a pair."""

    recipe: MetricRecipe
    score: RecipeScore
    dimension: int
    """The length of the embedding."""
    ratios: Floats
    """Its time over that of the recipe beside which it is measured, in each run."""

    @property
    def range(self) -> tuple[float, float, float]:
        """The 5th, 50th and 95th percentile of the ratios."""
        low, middle, high = np.quantile(self.ratios, (0.05, 0.5, 0.95)).tolist()
        return low, middle, high


def time_recipes(
    training: MetricTraining, scores: tuple[RecipeScore, ...], base: Path, beside: str, runs: int = RUNS
) -> tuple[TimedRecipe, ...]:
    """The recipes of ``scores`` with their times beside that of the recipe ``beside``, the quickest first.

    Weights do not change the time, so that the networks are those that training begins with.

    Raises:
        InvalidOption: the configuration has not all of these recipes.
    """
    recipes = {recipe.name: recipe for recipe in training.candidates}
    wanted = {beside, *(score.recipe for score in scores)}
    if missing := sorted(wanted - recipes.keys()):
        raise InvalidOption(f"expected recipes of {', '.join(recipes)}, got {', '.join(missing)}")
    graph_of = {name: _graph_key(recipes[name]) for name in wanted}
    runners = {key: _runner(recipes[name], base) for key, name in {key: name for name, key in graph_of.items()}.items()}
    measured = np.array([[_seconds(run) for run in runners.values()] for _ in range(runs + 1)][1:])
    seconds = dict(zip(runners, measured.T, strict=True))
    timed = [
        TimedRecipe(recipes[score.recipe], score, runners[key]().shape[1], seconds[key] / seconds[graph_of[beside]])
        for score in scores
        for key in (graph_of[score.recipe],)
    ]
    return tuple(sorted(timed, key=lambda one: one.range[1]))


def _graph_key(recipe: MetricRecipe) -> tuple[str, Levels | None, int]:
    """Recipes that differ in training alone have one graph, which is timed once."""
    return recipe.architecture, recipe.levels, recipe.size


def _runner(recipe: MetricRecipe, base: Path) -> Callable[[], Floats]:
    network = build_embedding_network(recipe, 0, base).eval()
    graph = to_onnx(network, InputSpec(height=recipe.size, width=recipe.size), "fp32", np.empty(0, dtype=np.uint8))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    images = np.zeros((IMAGES, recipe.size, recipe.size, 3), dtype=np.uint8)

    def run() -> Floats:
        embeddings: Floats = session.run([OUTPUT_NAME], {INPUT_NAME: images})[0]
        return embeddings

    return run


def _seconds(run: Callable[[], Floats]) -> float:
    start = process_time()
    run()
    return process_time() - start


def curve_table(timed: tuple[TimedRecipe, ...], beside: str) -> str:
    """The recipes as a Markdown table, the quickest first."""
    lines = [
        f"| recipe | input | embedding | time a pair, of {beside}'s "
        "| AUC | of each fold | strangers | copies | moved | mirrored |",
        "|---" * 10 + "|",
    ]
    for one in timed:
        low, middle, high = one.range
        folds = ", ".join(f"{fold.auc:.3f}" for fold in one.score.folds)
        cells = (
            one.recipe.name,
            f"{one.recipe.size} px",
            f"{one.dimension:,}",
            f"{middle:.2f} ({low:.2f} to {high:.2f})",
            f"{one.score.auc:.3f}",
            folds,
            f"{one.score.strangers:.3f}",
            f"{one.score.copies:.3f}",
            f"{one.score.moved:.2f}",
            f"{one.score.mirrored:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    ways = f"{RUNS} runs in turn of {IMAGES} images each, process time; medians with the 5th and 95th percentile"
    return "\n".join([*lines, "", f"{ways}. {machine()}."])


def draw_curve(timed: tuple[TimedRecipe, ...], beside: str, path: Path) -> None:
    """Draw AUC with the range of its folds over the time a pair, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(7, 3.8), layout="constrained")
    axes = drawing.add_subplot()
    for one, marker in zip(timed, cycle("os^vDPX*"), strict=False):  # there are more recipes than colours
        aucs = [fold.auc for fold in one.score.folds]
        (line,) = axes.plot(one.range[1], one.score.auc, marker, label=one.recipe.name)
        axes.vlines(one.range[1], min(aucs), max(aucs), color=line.get_color(), linewidth=1, alpha=0.4)
    axes.set(
        xlabel=f"time a pair, of {beside}'s",
        ylabel="AUC by cross-validation; lines: folds",
        xscale="log",
    )
    drawing.legend(loc="outside right upper", fontsize=8)
    FigureCanvasAgg(drawing).print_png(path, metadata={"Software": None})


def main() -> None:
    """Print the table, or write it into a page, and the picture beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="Recipes, YAML.")
    parser.add_argument("selection", type=Path, help="Directory of `semsim train select`.")
    parser.add_argument("--beside", required=True, help="The recipe whose time is 1.")
    parser.add_argument("--write", type=Path, help=f"Markdown file, to write the table between its {MARK} marks.")
    parser.add_argument("--picture", type=Path, help="PNG to draw.")
    arguments = parser.parse_args()
    if arguments.write is not None:
        around_marks(arguments.write, MARK)
    training = MetricTraining.read(arguments.config)
    timed = time_recipes(training, read_selection(arguments.selection), arguments.config.parent, arguments.beside)
    text = curve_table(timed, arguments.beside)
    if arguments.picture is not None:
        draw_curve(timed, arguments.beside, arguments.picture)
    if arguments.write is None:
        print(text)
        return
    picture = "" if arguments.picture is None else f"![AUC over the time a pair]({arguments.picture.name})\n\n"
    write_between(arguments.write, MARK, picture + text)


if __name__ == "__main__":
    main()
