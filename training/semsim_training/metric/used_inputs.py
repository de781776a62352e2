"""``inputs.json``: the judged sets and the recipes that the results in a directory are of."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.configuration import Description
from semsim_training.metric.metric_recipe import MetricRecipe


class UsedInputs(Description):
    """The inputs of a training, a comparison of recipes or a hold-out, so that none goes on with others."""

    CONTENT = "the sets and the recipes that results are of"
    REFUSAL = InvalidAnnotations
    FILE = "inputs.json"

    names: tuple[str, ...]
    """The judged sets."""
    hashes: tuple[str, ...] = ()
    """The hash of each set with its judgements; empty in files of before, whose results nothing goes on with."""
    recipes: dict[str, MetricRecipe]
    """The recipe of each kind of result."""

    @classmethod
    def keep(cls, directory: Path, sets: Sequence[tuple[str, str]], recipes: Mapping[str, MetricRecipe]) -> None:
        """Note the inputs of results in a directory, beside those of other results there.

        Args:
            directory: the directory of the results.
            sets: the name of each judged set, and its hash.
            recipes: the recipe of each kind of result.

        Raises:
            InvalidOption: the results that are there are of other sets, of other reconstructions or judgements in
                them, or those of the same name of another recipe.
        """
        names, hashes = tuple(name for name, _ in sets), tuple(sha256 for _, sha256 in sets)
        known = dict[str, MetricRecipe]()
        if (directory / cls.FILE).exists():
            kept = cls.read(directory)
            if kept.names != names:
                raise InvalidOption(
                    f"expected the sets of the results in {directory}, {', '.join(kept.names)}, got "
                    f"{', '.join(names)}: begin in another directory"
                )
            for name, before, now in zip(names, kept.hashes or ["unknown"] * len(names), hashes, strict=True):
                if before != now:
                    raise InvalidOption(
                        f"expected the set and the judgements of {name} that the results in {directory} are of, sha256 "
                        f"{before[:12]}, got {now[:12]}: begin in another directory"
                    )
            known = kept.recipes
            for name, recipe in recipes.items():
                if known.get(name, recipe) != recipe:
                    raise InvalidOption(
                        f"expected the recipe of the results of {name} in {directory}, got another one: begin in "
                        "another directory"
                    )
        directory.mkdir(parents=True, exist_ok=True)
        inputs = cls(names=names, hashes=hashes, recipes=known | dict(recipes))
        (directory / cls.FILE).write_text(inputs.model_dump_json(indent=2) + "\n")
