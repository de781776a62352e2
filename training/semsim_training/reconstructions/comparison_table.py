"""A comparison as Markdown."""

from collections.abc import Sequence

from semsim_training.reconstructions.comparison import DRAWS, MEASURES, Compared, ComparedBy, Measure

_WITH_INTERVAL = ("leakage", "recognizable")
"""The measures whose means have their intervals in the table, too."""
_MARK = "†"
_FOOTNOTE = (
    f"{_MARK} Not shown to leak by this attack: it found nothing on at least one of the clients that are compared, in "
    "this setting or in the group's first. That is no gain of a defense."
)


def comparison_table(compared: Sequence[Compared], by: ComparedBy) -> str:
    """The comparison as a table, with a sentence above it that says what it shows."""
    measures = [measure for measure in MEASURES if any(measure.name in one.means for one in compared)]
    lines = [
        f"Means, and differences from the first {by} of a group on the same clients, with 95% intervals of {DRAWS} "
        "bootstrap draws of clients (Wilson's for shares); bold where an interval leaves zero out. Higher leakage, "
        "share of recognizable images, PSNR (dB) and SSIM, lower LPIPS: closer to the original. Clients whose attack "
        "diverged are counted and take no part. Statuses count images, by that of the client's batch.",
        "",
        _line("clients", by, "status", *(measure.name for measure in measures)),
        "|---" * (3 + len(measures)) + "|",
    ]
    lines += [
        _line(f"{one.group}, {clients_of(one)}", one.name, one.statuses, *(_cell(one, measure) for measure in measures))
        for one in compared
    ]
    if any(one.nothing_found and one.differences for one in compared):
        lines += ["", _FOOTNOTE]
    return "\n".join(lines)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def clients_of(one: Compared) -> str:
    """The images and clients of a setting, in words."""
    diverged = f", {one.diverged} more diverged" * (one.diverged > 0)
    paired = f", {one.paired} of them paired" * (bool(one.differences) and one.paired < one.clients)
    empty = f", {one.uninformative} images without a leakage: nothing can be told of them" * (one.uninformative > 0)
    return f"{one.images} images of {one.clients} clients{paired}{diverged}{empty}"


def _cell(one: Compared, measure: Measure) -> str:
    if measure.name not in one.means:
        return "could not tell"
    mean = one.means[measure.name]
    text = f"{mean.value:.{measure.digits}f}"
    if measure.name in _WITH_INTERVAL and mean.interval is not None:
        text += f" ({mean.interval.low:.{measure.digits}f}..{mean.interval.high:.{measure.digits}f})"
    if measure.name not in one.differences:
        return text
    return f"{text}, {_difference(one, measure)}"


def _difference(one: Compared, measure: Measure) -> str:
    difference, digits = one.differences[measure.name], measure.digits
    text = f"{difference.value:+.{digits}f}"
    if difference.interval is not None:
        text += f" ({difference.interval.low:+.{digits}f}..{difference.interval.high:+.{digits}f})"
    if one.nothing_found:
        return f"{text} {_MARK}"
    return f"**{text}**" if difference.sure else text
