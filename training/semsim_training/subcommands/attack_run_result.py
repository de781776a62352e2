"""The result of ``semsim attack run``: as JSON, in sentences, and as an exit code."""

import math
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import semsim
from semsim.uninformative import Uninformative
from semsim_training.attacks.reconstruction import Reconstruction, Status
from semsim_training.subcommands.attack_exit_codes import EXIT_DIVERGED, EXIT_NOTHING_FOUND, EXIT_PARTLY

if TYPE_CHECKING:
    from semsim_training.reconstructions.beside import Beside

_EXIT = {
    Status.MATCHED: 0,
    Status.PARTLY: EXIT_PARTLY,
    Status.NOTHING_FOUND: EXIT_NOTHING_FOUND,
    Status.DIVERGED: EXIT_DIVERGED,
}
"""1, 2 and 3 are those of every command: pairs that failed, a refusal, a leakage above a limit."""
_VERDICT = {
    Status.MATCHED: "the images explain the update, as the client's own would",
    Status.PARTLY: "the images explain more of the update than random images do, and leave the rest unexplained",
    Status.NOTHING_FOUND: (
        "not shown to leak by this attack; it explains no more of the update than random images do, and says nothing "
        "about the client's safety"
    ),
    Status.DIVERGED: "no image came out, which says nothing about the client's safety",
}

_ALTHOUGH = {
    Status.PARTLY: "it explains a part of the update only",
    Status.NOTHING_FOUND: "it explains no more of the update than random images do",
}


def exit_code(result: Mapping[str, Any]) -> int:
    """The exit code that stands for a result; 0 for a match alone.

    A reconstruction that an original shows to be recognizable is a leak, although the update is not explained: 4.
    """
    code = _EXIT[Status(result["status"])]
    return EXIT_PARTLY if code > EXIT_PARTLY and _recognized(result) else code


def attack_result(
    label: str, made: Reconstruction, written: "tuple[tuple[str, ...], Beside | None]", seconds: float
) -> dict[str, Any]:
    """All that there is to say of an attack, for JSON: no NaN and no infinity."""
    explanation, (names, beside) = made.explanation, written
    explained: dict[str, Any] | None = None
    if explanation is not None:
        values = {"gain": explanation.gain} | asdict(explanation)
        explained = {name: _finite(value) for name, value in values.items() if name != "hint"}
    result = {
        "attack": label,
        "status": made.status.value,
        "verdict": _VERDICT[made.status],
        "explained": explained,
        "hint": explanation.hint or None if explanation is not None else None,
        "path": made.path,
        "objective": _finite(made.objective),
        "labels": list(made.labels),
        "reconstructions": [
            {"file": name, "label": label} for name, label in zip(names, made.labels[: len(names)], strict=True)
        ],
        "seconds": round(seconds, 3),
        "versions": {"semsim": semsim.__version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    if beside is not None:
        result["originals"] = [
            {"original": str(path), "file": names[partner]} | _values(asdict(score))
            for path, partner, score in zip(beside.originals, beside.partners, beside.scores, strict=True)
        ]
        if made.status is not Status.MATCHED and (recognized := _recognized(result)):
            leakage = max(pair["leakage"] for pair in recognized)
            result["verdict"] = (
                f"leaks: {len(recognized)} of {len(beside.originals)} originals are recognizable in what came out "
                f"(leakage {leakage:.3f}), although {_ALTHOUGH[made.status]}: check what was declared"
            )
    return result


def sentences(out: Path, result: Mapping[str, Any]) -> Iterator[str]:
    """The result in lines for people."""
    yield f"{out}: {result['attack']}, {result['status']}: {result['verdict']}"
    explained = result["explained"]
    if explained is not None:
        at = "" if explained["scale"] == 1 else f" at {explained['scale']:.3g} times its length"
        worthless = max(explained["random"] or 0.0, explained["zero"] or 0.0, 0.0)
        share = "an unknown part" if explained["share"] is None else _number(explained["share"])
        yield (
            f"explained {share} of the update{at}, images of no worth {_number(worthless)}: "
            f"gain {_number(explained['gain'])}; cosine {_number(explained['cosine'])}; "
            f"gradients by {result['path']}; {result['seconds']:.1f} s"
        )
    if result["hint"]:
        yield f"hint: {result['hint']}"
    for pair in result.get("originals", ()):
        yield _scored(pair)
    if "originals" in result:
        yield f"{out / 'beside.png'} shows originals: keep it to yourself"
        if result["status"] != Status.MATCHED or len(_recognized(result)) < len(result["originals"]):
            yield "the scores are of what this attack found; a better attack may find more"


def _recognized(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The originals that are recognizable in what came out; none where no original was given."""
    return [pair for pair in result.get("originals", ()) if pair["recognizable"]]


def _scored(pair: Mapping[str, Any]) -> str:
    leakage = "not calibrated"
    if uninformative := pair.get("uninformative"):
        leakage = f"could not be told: {Uninformative(uninformative).reason}"
    if pair["leakage"] is not None:
        ends = [pair.get("leakage_low"), pair.get("leakage_high")]
        between = "" if None in ends else f" ({ends[0]:.3f} to {ends[1]:.3f})"
        leakage = f"{pair['leakage']:.3f}{between} {'recognizable' if pair['recognizable'] else 'not recognizable'}"
    psnr = "equal" if pair["psnr"] is None else f"{pair['psnr']:.2f} dB"
    return (
        f"{pair['original']} in {pair['file']}: leakage {leakage}, distance {pair['distance']:.4f}, psnr {psnr}, "
        f"ssim {pair['ssim']:.4f}"
    )


def _values(score: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _finite(value) if isinstance(value, float) else value for name, value in score.items()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> str:
    """The number with three digits behind the point, or with as many as tell it from 1."""
    if value is None:
        return "unknown"
    digits = next((digits for digits in range(3, 9) if float(f"{value:.{digits}f}") != 1), 3)
    return f"{value:.{digits}f}"
