"""The three splits of a training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from semsim.exceptions import InvalidAnnotations
from semsim_training.judged.judged_sources import JudgedSources
from semsim_training.judged.sized_set import SizedSet
from semsim_training.reconstructions.schema import SPLITS


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSplits:
    """Judged reconstructions, split by their originals: to train on, to choose and calibrate by, to measure on."""

    train: SizedSet
    validation: SizedSet
    test: SizedSet

    @classmethod
    def read(cls, sources: JudgedSources, base: Path, size: int) -> Self:
        """Read sets and judgements, with pictures of ``size`` pixels a side; paths are relative to ``base``.

        Raises:
            InvalidDataset: a set is not there or not finished.
            InvalidAnnotations: judgements are missing, or in a split all were recognised, or none.
        """
        sized = SizedSet.of(sources.read(base), size)
        splits = cls(*(sized.take(sized.judged.where(lambda row: row.split, split)) for split in SPLITS))
        for name, part in splits.parts.items():
            if part.judged.majority.all() or not part.judged.majority.any():
                raise InvalidAnnotations(
                    f"expected recognised and unrecognised reconstructions in {name}, got one kind"
                )
        return splits

    @property
    def parts(self) -> dict[str, SizedSet]:
        """The splits by their names."""
        return dict(zip(SPLITS, (self.train, self.validation, self.test), strict=True))
