"""The answer of an audit: what was tried, what came out, and what may be said of it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class LeakageVerdict(StrEnum):
    """The answer to the question whether an update leaks. None of them says that a client is safe."""

    LEAKS = "leaks"
    """An image is recognizable in what an attack rebuilt, and is no lucky likeness."""
    NOT_SHOWN = "not_shown"
    """An attack explained the update, with the client's defense or without it, every attack that is for such updates
    looked, and no image leaked. Another attack may find them."""
    COULD_NOT_TELL = "could_not_tell"
    """No attack explained the update, one was prevented from looking, or nothing could be told of an image."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attack, and what came of it."""

    attack: str
    status: str
    """``matched``, ``partly``, ``nothing_found`` or ``diverged``, as attacks say it of themselves; ``failed`` where the
    attack was refused or broke off, ``skipped`` where it was not begun, ``out_of_time`` where time ended a search
    before its planned iterations, and its images do not match the update."""
    explained: float | None
    """The share of the update that the attack's images explain; None where no images came out, or it is not finite."""
    gain: float | None
    """The part explained of what images of no worth leave unexplained; None where the share is None, or not finite."""
    seconds: float
    reason: str = ""
    """The reason of a failure, a skip or an early end, or the mistake in the declaration that the numbers suggest."""
    unsuited: bool = False
    """True where the attack was skipped since it is not for such updates, and not for want of time or memory."""

    @property
    def explains(self) -> bool:
        """True where the attack's images explain the update, or a part of it."""
        return self.status in ("matched", "partly")

    @property
    def prevented(self) -> bool:
        """True where the attack might have found more: it failed, diverged, or time or memory was short."""
        return not (self.explains or self.status == "nothing_found" or self.unsuited)


@dataclass(frozen=True, slots=True)
class ImageLeakage:
    """One of the client's images, beside the reconstruction that is most like it."""

    leakage: float | None
    """The calibrated probability that an annotator recognises the reconstruction; None where nothing can be told."""
    recognizable: bool | None
    """True where the leakage is at least the threshold; None where nothing can be told."""
    chance: float | None
    """The share of controls that are as like to a reconstruction as this image; None without a reconstruction."""
    identified: bool
    """True where the chance is so low that it is no luck; ``LeakageReport.luck`` says how often it would be."""
    leaked: bool
    """True where the image is recognizable and identified."""
    distance: float | None
    """The SemSim distance; None without a reconstruction."""
    psnr: float | None
    """The peak signal-to-noise ratio in dB, infinite for equal images; None without a reconstruction."""
    attack: str
    """The attack that made the reconstruction; empty without one."""
    unsure: bool = False
    """True where the image is recognizable in a reconstruction and did not leak, though at most 5% of controls are as
    like, or as near by the metric alone, which finds what an attack moved or mirrored."""


@dataclass(frozen=True, slots=True)
class LeakageReport:
    """The answer of an audit of one update."""

    verdict: LeakageVerdict
    images: tuple[ImageLeakage, ...]
    attempts: tuple[Attempt, ...]
    round: int | None
    defense: str
    """The defense that the client applied, or is said to have applied."""
    batch: int
    """The number of images behind the update."""
    seconds: float
    threshold: float | None
    """The leakage from which on an image counts as recognizable; None where the model is not calibrated."""
    controls: int
    """The number of public images that were compared."""
    luck: float
    """The bound on the probability that one of as many unrelated images is identified; 0 without reconstructions."""
    model: str
    """The scoring model's name and version."""
    versions: Mapping[str, str]
    doubts: tuple[str, ...] = ()
    """The reasons why nothing can be told although an attack explained the update."""
    control_leakages: tuple[float, ...] = field(default=(), repr=False)
    """The leakage of each control beside the reconstruction that is most like it; empty without reconstructions."""
    reconstructions: tuple[NDArray[np.uint8] | None, ...] = field(default=(), repr=False, compare=False)
    """The reconstruction that each of ``images`` is compared with, uint8 ``(H, W, C)``; None without one. It may show
    a client's image: it is for whoever may see that, and neither :meth:`values` nor a series holds it."""

    @property
    def leaked(self) -> int:
        """The number of images that leaked."""
        return sum(image.leaked for image in self.images)

    @property
    def share(self) -> float:
        """The share of images that leaked, in [0, 1]."""
        return self.leaked / self.batch

    @property
    def share_at_most(self) -> float:
        """The share of images that leaked, or of which that cannot be ruled out, in [0, 1]."""
        return sum(image.recognizable is not False or image.unsure for image in self.images) / self.batch

    @property
    def leakages(self) -> tuple[float, ...]:
        """The leakages of the images of which something can be told; none where the audit could not tell.

        What an attack made that explains nothing, or beside images of others, has a low leakage that says nothing.
        """
        if self.verdict is LeakageVerdict.COULD_NOT_TELL:
            return ()
        return tuple(image.leakage for image in self.images if image.leakage is not None)

    @property
    def sentence(self) -> str:
        """The verdict in plain words."""
        tried = ", ".join(f"{one.attack} ({one.status.replace('_', ' ')})" for one in self.attempts) or "nothing"
        images = f"{self.batch} image{'s' * (self.batch != 1)}"
        if self.verdict is LeakageVerdict.LEAKS:
            by = ", ".join(dict.fromkeys(image.attack for image in self.images if image.leaked))
            least = "at least " if self.share_at_most > self.share else ""
            return f"This update leaks {least}{self.leaked} of {images}: {by} rebuilt them recognizably."
        if self.verdict is LeakageVerdict.NOT_SHOWN:
            told = f"This update of {images} is not shown to leak by these attacks: {tried}. Others may find more."
            return f"{told} {self._identified()}".strip()
        return f"Could not tell whether this update of {images} leaks: {tried}. {self._doubt()}".strip()

    def _identified(self) -> str:
        """A hint at images that stand out from public ones although the metric does not find them recognizable."""
        if not (count := sum(image.identified for image in self.images)):
            return ""
        which = "1 image is" if count == 1 else f"{count} images are"
        return f"But {which} identified: public images are less like the reconstruction. Look at it."

    def _doubt(self) -> str:
        hints = (f"{one.attack}: {one.reason}" for one in self.attempts if one.reason)
        reasons = [reason.rstrip(".") for reason in dict.fromkeys((*self.doubts, *hints))]
        return " ".join(f"{reason[:1].upper()}{reason[1:]}." for reason in reasons)

    @property
    def control_mean(self) -> float | None:
        """The mean leakage of the controls beside the same reconstructions; None without reconstructions."""
        return float(np.mean(self.control_leakages)) if self.control_leakages else None

    @property
    def control_max(self) -> float | None:
        """The largest leakage of the controls, each beside the reconstruction that is most like it."""
        return max(self.control_leakages, default=None)

    def values(self) -> dict[str, Any]:
        """All of it that is no image, as JSON can write it; an infinite signal-to-noise ratio is None."""
        content = asdict(replace(self, control_leakages=(), reconstructions=()))
        del content["control_leakages"], content["reconstructions"]
        for image in content["images"]:
            if image["psnr"] is not None and not math.isfinite(image["psnr"]):
                image["psnr"] = None
        controls = {"control_mean": self.control_mean, "control_max": self.control_max}
        return content | controls | {"verdict": str(self.verdict), "leaked": self.leaked, "sentence": self.sentence}
