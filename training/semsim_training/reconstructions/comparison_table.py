"""A comparison as Markdown."""

from collections.abc import Sequence

from semsim_training.reconstructions.comparison import DRAWS, MEASURES, Compared, ComparedBy, Estimate, Measure

_WITH_INTERVAL = ("leakage", "recognizable")
"""The measures whose means have their intervals in the table, too."""


def comparison_table(compared: Sequence[Compared], by: ComparedBy) -> str:
    """The comparison as a table, with a sentence above it that says what it shows."""
    measures = [measure for measure in MEASURES if any(measure.name in one.means for one in compared)]
    lines = [
        f"Means, and differences from the first {by} of a group on the same clients, with 95% intervals of {DRAWS} "
        "bootstrap draws of clients (Wilson's for shares); bold where an interval leaves zero out. Higher leakage, "
        "share of recognizable images, PSNR (dB) and SSIM, lower LPIPS: closer to the original. Clients whose attack "
        "diverged are counted and take no part.",
        "",
        f"| clients | {by} | {' | '.join(measure.name for measure in measures)} |",
        "|---" * (2 + len(measures)) + "|",
    ]
    lines += [
        f"| {one.group}, {clients_of(one)} | {one.name} | {' | '.join(_cell(one, measure) for measure in measures)} |"
        for one in compared
    ]
    return "\n".join(lines)


def clients_of(one: Compared) -> str:
    """The images and clients of a setting, in words."""
    diverged = f", {one.diverged} more diverged" * (one.diverged > 0)
    paired = f", {one.paired} of them paired" * (bool(one.differences) and one.paired < one.clients)
    return f"{one.images} images of {one.clients} clients{paired}{diverged}"


def _cell(one: Compared, measure: Measure) -> str:
    if measure.name not in one.means:
        return "could not tell"
    mean = one.means[measure.name]
    text = f"{mean.value:.{measure.digits}f}"
    if measure.name in _WITH_INTERVAL and mean.interval is not None:
        text += f" ({mean.interval.low:.{measure.digits}f}..{mean.interval.high:.{measure.digits}f})"
    if measure.name not in one.differences:
        return text
    return f"{text}, {_difference(one.differences[measure.name], measure.digits)}"


def _difference(difference: Estimate, digits: int) -> str:
    text = f"{difference.value:+.{digits}f}"
    if difference.interval is not None:
        text += f" ({difference.interval.low:+.{digits}f}..{difference.interval.high:+.{digits}f})"
    return f"**{text}**" if difference.sure else text
