"""The manifest of a scored table: what was scored with what, and the parts that are done."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from semsim import __version__
from semsim.bulk.leakage_gate import GateOutcome, LeakageLimits
from semsim.bulk.pair_tables.location import UNFINISHED, Location, StoredFile
from semsim.bulk.pair_tables.pair_files import PairFiles
from semsim.bulk.pair_tables.read_pair import PairNames
from semsim.bulk.pair_tables.table_part import PartRecord, TablePart
from semsim.exceptions import ErrorCode, InvalidOption, UnreadableFile
from semsim.images import DecodeLimits
from semsim.scorer import Scorer
from semsim.summary import Summary, merge_summaries

MANIFEST_NAME = "_manifest.json"
"""Readers of partitioned Parquet pass over names that begin with an underscore."""


class TableRunIdentity(BaseModel):
    """All that a table of scores depends on: a run that differs in any of it is another run."""

    model_config = ConfigDict(frozen=True)

    semsim: str
    model: str
    model_version: str
    model_manifest_sha256: str
    """The hash of the whole manifest: its calibration gives the leakage, and its threshold what is recognizable."""
    controls: str
    """The hash of the controls, or none."""
    lpips: str = "none"
    """The hash of the LPIPS network, or none."""
    fail_above: float | None
    input: str
    input_files: tuple[StoredFile, ...]
    skipped_files: tuple[StoredFile, ...]
    names: PairNames
    part_pairs: int
    limits: DecodeLimits

    @classmethod
    def of(
        cls,
        scorer: Scorer,
        table: PairFiles,
        names: PairNames,
        part_pairs: int,
        limits: DecodeLimits,
        fail_above: float | None,
    ) -> Self:
        """The identity of a run."""
        manifest = scorer.manifest
        return cls(
            semsim=__version__,
            model=manifest.name,
            model_version=manifest.version,
            model_manifest_sha256=hashlib.sha256(manifest.model_dump_json().encode()).hexdigest(),
            controls="none" if scorer.controls is None else scorer.controls.digest,
            lpips="none" if scorer.lpips is None else scorer.lpips.digest,
            fail_above=fail_above,
            input=table.where.name,
            input_files=table.files,
            skipped_files=table.skipped,
            names=names,
            part_pairs=part_pairs,
            limits=limits,
        )


class TableManifest(BaseModel):
    """A run of which some parts are done, or all."""

    model_config = ConfigDict(frozen=True)

    run: TableRunIdentity
    parts_in_all: int
    parts: tuple[PartRecord, ...]

    @property
    def is_complete(self) -> bool:
        """True where each part is done, as far as it can be."""
        return len(self.parts) == self.parts_in_all

    @property
    def summary(self) -> Summary:
        """The totals of all pairs."""
        return merge_summaries(part.summary for part in self.parts)

    @property
    def skipped(self) -> int:
        """Files that may hold images and are in no pair."""
        return len(self.run.skipped_files) + sum(part.skipped for part in self.parts)

    @property
    def errors(self) -> Counter[ErrorCode]:
        """The number of failed pairs by the code of their error."""
        return sum((Counter(part.errors) for part in self.parts), Counter())

    @classmethod
    def read(cls, output: Location) -> Self | None:
        """The manifest of a scored table; None where there is none, and nothing else.

        Raises:
            InvalidOption: there is another manifest, or there are files without one.
        """
        data = (output / MANIFEST_NAME).read()
        if data is None:
            if files := [file for file in output.files() if not file.path.endswith(UNFINISHED)]:
                raise InvalidOption(
                    f"expected a new place, or that of an earlier run, for the table, got {output.name} with "
                    f"{files[0].path}"
                )
            return None
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise InvalidOption(f"expected the manifest of a scored table in {output.name}, got {error}") from error

    def write(self, output: Location) -> None:
        """Write the manifest in the place of the one before."""
        (output / MANIFEST_NAME).write((self.model_dump_json(indent=1) + "\n").encode())

    def gate(self, limits: LeakageLimits) -> GateOutcome:
        """The outcome of a gate; ``limits`` has the limit of the run, and no baseline, which would name each pair."""
        summary = self.summary
        if limits.above is None:
            return GateOutcome()
        told = summary.pairs - summary.failed - summary.uninformative
        if summary.max_leakage is None:
            return GateOutcome(unseen=(f"{told} of {summary.pairs} pairs have no leakage",) if told else ())
        above = sum(part.above for part in self.parts)
        words, is_kept = limits.kept_by(above, told, f"highest {summary.max_leakage:.2f}")
        return GateOutcome(reasons=() if is_kept else (words,), above=above, summary=words)

    def require_same(self, run: TableRunIdentity, parts: Sequence[TablePart], output: Location) -> None:
        """Refuse to go on with another run's table.

        Raises:
            InvalidOption: the model, the controls, the limit of leakage, the input or the version of semsim differs.
            UnreadableFile: the footer of a file that was read before cannot be read now.
        """
        for name in TableRunIdentity.model_fields:
            before, now = getattr(self.run, name), getattr(run, name)
            if before != now:
                raise InvalidOption(
                    f"expected the {name} of the run in {output.name}, {_shown(before)}, got {_shown(now)}: name "
                    "another place for this one"
                )

        names = {part.name for part in parts}
        if lost := [record.file for record in self.parts if record.name not in names]:
            raise UnreadableFile(f"expected files that can be read as before, got another number of pairs in {lost[0]}")

    def intact(self, output: Location) -> Sequence[PartRecord]:
        """The parts that are done, and whose files are those that were written."""
        return [
            part
            for part in self.parts
            if part.is_done
            and (data := (output / part.name).read()) is not None
            and hashlib.sha256(data).hexdigest() == part.sha256
        ]


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"{len(value)} files " + hashlib.sha256(repr(value).encode()).hexdigest()[:12]
    return str(value)
