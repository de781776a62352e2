"""``inputs.json``: the judged sets and the recipes that the results in a directory are of."""

from collections.abc import Mapping
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
    recipes: dict[str, MetricRecipe]
    """The recipe of each kind of result."""

    @classmethod
    def keep(cls, directory: Path, names: tuple[str, ...], recipes: Mapping[str, MetricRecipe]) -> None:
        """Note the inputs of results in a directory, beside those of other results there.

        Raises:
            InvalidOption: the results that are there are of other sets, or those of the same name of another recipe.
        """
        known = dict[str, MetricRecipe]()
        if (directory / cls.FILE).exists():
            kept = cls.read(directory)
            if kept.names != names:
                raise InvalidOption(
                    f"expected the sets of the results in {directory}, {', '.join(kept.names)}, got "
                    f"{', '.join(names)}: begin in another directory"
                )
            known = kept.recipes
            for name, recipe in recipes.items():
                if known.get(name, recipe) != recipe:
                    raise InvalidOption(
                        f"expected the recipe of the results of {name} in {directory}, got another one: begin in "
                        "another directory"
                    )
        directory.mkdir(parents=True, exist_ok=True)
        inputs = cls(names=names, recipes=known | dict(recipes))
        (directory / cls.FILE).write_text(inputs.model_dump_json(indent=2) + "\n")
