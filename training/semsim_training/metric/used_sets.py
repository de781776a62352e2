"""``sets.json``: the judged sets that the results in a directory are of."""

from pathlib import Path

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.configuration import Description


class UsedSets(Description):
    """The sets of a training, a comparison of recipes or a hold-out, so that none goes on with others."""

    CONTENT = "the sets that results are of"
    REFUSAL = InvalidAnnotations
    FILE = "sets.json"

    names: tuple[str, ...]

    @classmethod
    def keep(cls, directory: Path, names: tuple[str, ...]) -> None:
        """Note the sets of a directory of results.

        Raises:
            InvalidOption: the results that are there are of other sets.
        """
        if (directory / cls.FILE).exists() and (others := cls.read(directory).names) != names:
            raise InvalidOption(
                f"expected the sets of the results in {directory}, {', '.join(others)}, got {', '.join(names)}: begin "
                "in another directory"
            )
        directory.mkdir(parents=True, exist_ok=True)
        (directory / cls.FILE).write_text(cls(names=names).model_dump_json(indent=2) + "\n")
