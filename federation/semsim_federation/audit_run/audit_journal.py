"""The journal of a run: a line for each client that was audited and each training that ended, so that a run goes on."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from semsim.exceptions import InvalidConfiguration
from semsim_federation.leakage_report import Attempt, ImageLeakage, LeakageReport, LeakageVerdict
from semsim_training.client_images.png import encode_png
from semsim_training.configuration import FrozenModel


class ClientAudit(FrozenModel):
    """The audit of one client in one cell."""

    cell: str
    """The key of the cell."""
    client: int
    verdict: LeakageVerdict
    images: tuple[ImageLeakage, ...]
    pictures: tuple[str | None, ...]
    """The reconstruction that each image is compared with, a PNG in base64; None without one."""
    attempts: tuple[Attempt, ...]
    doubts: tuple[str, ...]
    luck: float
    controls: int
    control_mean: float | None
    """The mean leakage of public images beside the same reconstructions; None without reconstructions."""
    seconds: float

    @classmethod
    def of(cls, cell: str, client: int, report: LeakageReport) -> "ClientAudit":
        """The line of a report."""
        return cls(
            cell=cell,
            client=client,
            verdict=report.verdict,
            images=report.images,
            pictures=tuple(map(_picture, report.reconstructions)),
            attempts=report.attempts,
            doubts=report.doubts,
            luck=report.luck,
            controls=report.controls,
            control_mean=report.control_mean,
            seconds=report.seconds,
        )

    @property
    def told(self) -> bool:
        """True where the audit could tell whether the update leaks."""
        return self.verdict is not LeakageVerdict.COULD_NOT_TELL

    @property
    def leaked(self) -> int:
        """The number of images that leaked."""
        return sum(image.leaked for image in self.images)

    @property
    def leakage(self) -> float | None:
        """The mean leakage of the images of which something can be told."""
        leakages = [image.leakage for image in self.images if image.leakage is not None]
        return sum(leakages) / len(leakages) if leakages else None


class BrokenAudit(FrozenModel):
    """A client of a cell whose audit raised an error. The next run tries again."""

    cell: str
    client: int
    reason: str


class TrainedModel(FrozenModel):
    """A training with one defense and one seed."""

    defense: str
    seed: int
    accuracy: tuple[float, ...]
    """The accuracy before the first round, and after each; empty where the training diverged."""
    reason: str = ""
    """The reason why there is no accuracy."""


class AuditJournal:
    """The lines of a run, kept in a file that is readable by its owner alone, since it holds reconstructions.

    Raises:
        InvalidConfiguration: the file is the journal of a run of something else.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self._path = path
        self.audits: dict[tuple[str, int], ClientAudit] = {}
        self.broken: dict[tuple[str, int], BrokenAudit] = {}
        self.trained: dict[tuple[str, int], TrainedModel] = {}
        if path.exists():
            self._restore(path.read_text(encoding="utf-8"), header)
        # Rewritten, not appended to: an interruption may have cut the last line short.
        lines = [
            json.dumps(header),
            *(one.model_dump_json() for one in (*self.audits.values(), *self.trained.values())),
        ]
        scratch = path.with_name(f".{path.name}.new")
        scratch.unlink(missing_ok=True)
        scratch.touch(mode=0o600)  # it holds reconstructions, which may show clients' images
        scratch.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        scratch.replace(path)

    def add(self, line: ClientAudit | BrokenAudit | TrainedModel) -> None:
        """Add a line, which is in the file when this returns."""
        self._keep(line)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line.model_dump_json()}\n")

    def _keep(self, line: ClientAudit | BrokenAudit | TrainedModel) -> None:
        match line:
            case ClientAudit():
                self.audits[line.cell, line.client] = line
                self.broken.pop((line.cell, line.client), None)
            case BrokenAudit():
                self.broken[line.cell, line.client] = line
            case TrainedModel():
                self.trained[line.defense, line.seed] = line

    def _restore(self, text: str, header: dict[str, Any]) -> None:
        first, *lines = text.split("\n")
        try:
            known = json.loads(first)
        except ValueError:
            known = None
        if not isinstance(known, dict) or known != json.loads(json.dumps(header)):
            others = [name for name, value in header.items() if not isinstance(known, dict) or known.get(name) != value]
            raise InvalidConfiguration(
                f"expected the journal of this run at {self._path}, got one of another {', '.join(others) or 'run'}: "
                "remove it, or choose another --out"
            )
        for line in lines:
            for kind in (ClientAudit, TrainedModel):
                try:
                    self._keep(kind.model_validate_json(line))
                except ValidationError:
                    continue  # a line of another kind, of an audit that broke, or one that an interruption cut short


def sha256_of(content: bytes) -> str:
    """The hash of a text or a file."""
    return hashlib.sha256(content).hexdigest()


def _picture(image: NDArray[np.uint8] | None) -> str | None:
    return None if image is None else base64.b64encode(encode_png(image)).decode()
