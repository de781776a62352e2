"""The scoring of two directories against each other, chunk by chunk."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from semsim import __version__
from semsim.bulk.directory_chunk import score_chunks
from semsim.bulk.directory_fid import DirectoryFid, fid_of_directories
from semsim.bulk.distance_matching import match_by_distance
from semsim.bulk.engine import Engine
from semsim.bulk.files import Directories, SkippedFile, list_files, list_images
from semsim.bulk.journal import Journal
from semsim.bulk.matching import Match, Matching, match_by_index, match_by_name
from semsim.bulk.rows import ScoreRow
from semsim.exceptions import InvalidOption, UnmatchedImages
from semsim.fid.fid_network import FidNetwork
from semsim.images import DecodeLimits
from semsim.images.limits import DEFAULT_LIMITS
from semsim.progress import Progress, silent
from semsim.scorer import Scorer
from semsim.summary import Summary, summarize

if TYPE_CHECKING:
    from semsim.client import RemoteScorer


@dataclass(frozen=True, slots=True)
class RunSummary(Summary):
    """Totals of a run, and the files that took part in no pair: whatever leaks in them is in no other number."""

    skipped: int
    """Files of both directories that are no readable PNG, JPEG or WebP by name, and not known to hold no image."""
    unmatched: int
    """Images of both directories without a partner."""
    fid: DirectoryFid | None
    """FID of both directories; None where nobody asked for it."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: its rows, and the files that took part in no pair."""

    rows: list[ScoreRow]
    """The pairs, and the images that could not be decoded to be matched."""
    matching: Matching
    skipped_originals: tuple[SkippedFile, ...] = ()
    skipped_reconstructions: tuple[SkippedFile, ...] = ()
    left_by_desktops: tuple[Path, ...] = ()
    """Files of both directories that macOS and Windows left there, and that are ignored."""
    fid: DirectoryFid | None = None
    """FID of both directories; None where nobody asked for it."""

    def rows_of_others(self) -> list[ScoreRow]:
        """A row for each file that took part in no pair, with the reason as its error."""
        no_original = UnmatchedImages("expected an original for each reconstruction, got none for this one")
        no_reconstruction = UnmatchedImages("expected a reconstruction for each original, got none for this one")
        return [
            *(ScoreRow.unpaired(one.reason, original=one.path) for one in self.skipped_originals),
            *(ScoreRow.unpaired(one.reason, reconstruction=one.path) for one in self.skipped_reconstructions),
            *(ScoreRow.unpaired(no_reconstruction, original=path) for path in self.matching.lone_originals),
            *(ScoreRow.unpaired(no_original, reconstruction=path) for path in self.matching.lone_reconstructions),
        ]

    def summary(self) -> RunSummary:
        """The totals of the run."""
        return RunSummary(
            **asdict(summarize(row.result() for row in self.rows)),
            skipped=len(self.skipped_originals) + len(self.skipped_reconstructions),
            unmatched=len(self.matching.lone_originals) + len(self.matching.lone_reconstructions),
            fid=self.fid,
        )


def score_directories(
    scorer: "Scorer | RemoteScorer",
    directories: Directories,
    match: Match,
    *,
    journal_path: Path | None = None,
    limits: DecodeLimits = DEFAULT_LIMITS,
    engine: Engine = Engine.HERE,
    workers: int | None = None,
    fid: FidNetwork | None = None,
    progress: Progress = silent,
) -> Run:
    """Match two directories and score every pair; where an image cannot be decoded, only its pairs fail.

    Files that are skipped or have no partner, and files that came while the run went on, are told in its result. With a
    ``journal_path``, pairs that an interrupted run has scored are not scored again. The caller deletes the file once
    the rows are safe. ``engine`` and ``workers`` are those of :func:`semsim.bulk.workers.jobs.run_jobs`. With ``fid``
    the run has FID of both directories, too, which this process computes.

    Raises:
        UnmatchedImages: nothing matches, or names or counts do not allow this matching.
        InvalidOption: the matching needs embeddings, or workers are asked for, and the scorer is a service's.
        SemSimError: a service or workers end the run; what was scored before is in the journal.
    """
    originals, reconstructions = list_images(directories.originals), list_images(directories.reconstructions)
    matching, unreadable = _match(
        scorer, directories, match, limits, progress, originals.images, reconstructions.images
    )
    if not matching.pairs:
        raise UnmatchedImages(
            f"expected a reconstruction that matches an original by {match}, got none, such as "
            f"{reconstructions.images[0]} beside {originals.images[0]}"
        )
    journal = None
    if journal_path is not None:
        header = {name: str(path.absolute()) for name, path in asdict(directories).items()}
        # The manifest, not the graph alone: its calibration gives the leakage.
        header |= {"model": scorer.manifest.model_dump_json(), "semsim": __version__, "limits": str(limits)}
        header |= {"controls": _controls_of(scorer), "lpips": _lpips_of(scorer)}
        if not isinstance(scorer, Scorer):
            header["service"] = scorer.service.model_dump_json(exclude={"manifest"})
        journal = Journal(journal_path, header)
    rows = score_chunks(scorer, directories, matching.pairs, limits, journal, engine, workers, progress)
    of_both = None
    if fid is not None:
        of_both = fid_of_directories(fid, directories, originals.images, reconstructions.images, limits, progress)
    return Run(
        rows + unreadable,
        matching,
        originals.skipped + list_files(directories.originals).since(originals),
        reconstructions.skipped + list_files(directories.reconstructions).since(reconstructions),
        originals.left_by_desktops + reconstructions.left_by_desktops,
        of_both,
    )


def _controls_of(scorer: "Scorer | RemoteScorer") -> str:
    """A name for the controls, beside that of the model, which tells its own."""
    if not isinstance(scorer, Scorer):
        return "the service's" if scorer.wants_controls else "none"
    return "none" if scorer.controls is None else scorer.controls.digest


def _lpips_of(scorer: "Scorer | RemoteScorer") -> str:
    """The hash of the LPIPS network; rows of a run without one have no LPIPS."""
    if not isinstance(scorer, Scorer):
        return "the service's"
    return "none" if scorer.lpips is None else scorer.lpips.digest


def _match(
    scorer: "Scorer | RemoteScorer",
    directories: Directories,
    match: Match,
    limits: DecodeLimits,
    progress: Progress,
    originals: Sequence[Path],
    reconstructions: Sequence[Path],
) -> tuple[Matching, list[ScoreRow]]:
    """The matching of two directories, and a row for each image that could not be decoded for it.

    Only ``best`` and ``assignment`` decode images: they match by the distance of embeddings.

    Raises:
        UnmatchedImages: names or counts do not allow the matching.
        InvalidOption: the matching needs embeddings, which a service gives to nobody.
    """
    match match:
        case Match.NAME:
            return match_by_name(originals, reconstructions), []
        case Match.INDEX:
            return match_by_index(originals, reconstructions), []
        case Match.BEST | Match.ASSIGNMENT:
            if not isinstance(scorer, Scorer):
                raise InvalidOption(f"expected the matching name or index with a service, got {match}")
            return match_by_distance(scorer, directories, match, limits, progress, originals, reconstructions)
