"""Studies: metrics that belong to a judged set, and the direction of metrics."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from semsim.exceptions import InvalidAnnotations, InvalidDataset, InvalidOption, SemSimError
from semsim_training.faithfulness.directions import direction_of, parse_directions
from semsim_training.faithfulness.metric_values import Direction, Metric
from tests.training.faithfulness.studies import made_up

NOTHING = made_up().judged.take(np.zeros(120, dtype=bool))
NAN = Metric("lpips", Direction.DOWN, np.r_[np.full(3, np.nan), np.ones(117)])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"judged": NOTHING}, InvalidAnnotations, "expected judged reconstructions in made-up, got none"),
        ({"metrics": ()}, InvalidDataset, "expected at least one metric"),
        ({"metrics": (NAN,)}, InvalidDataset, "a value of lpips for each item, got NaN for 3"),
        ({"metrics": (replace(NAN, values=np.ones(2)),)}, InvalidDataset, r"120 values of lpips, got \(2,\)"),
        ({"metrics": (replace(NAN, name="annotators", values=np.ones(120)),)}, InvalidDataset, "other names than ann"),
        ({"metrics": (replace(NAN, values=np.ones(120)),) * 2}, InvalidDataset, "each once, got lpips again"),
    ],
)
def test_what_is_no_study_is_refused(changes: dict[str, Any], error: type[SemSimError], message: str) -> None:
    """The error names what is wrong, and how many."""
    with pytest.raises(error, match=message):
        replace(made_up(), **changes)


def test_a_metric_without_finite_values_has_no_means() -> None:
    """Where all values are infinite, no finite one can stand in their place."""
    with pytest.raises(InvalidDataset, match="expected finite values of psnr"):
        _ = Metric("psnr", Direction.UP, np.full(3, np.inf)).finite


def test_directions_are_known_by_name_or_given() -> None:
    """A direction that is given wins over one that is known; a misspelt one is refused."""
    assert direction_of("LPIPS", {}) is Direction.DOWN
    assert direction_of("ssim", {}) is Direction.UP
    assert direction_of("ssim", parse_directions(["ssim=down"])) is Direction.DOWN
    assert direction_of("other", {}) is None
    for wrong in ("other", "=up", "other=sideways"):
        with pytest.raises(InvalidOption, match="NAME=up or NAME=down"):
            parse_directions([wrong])
