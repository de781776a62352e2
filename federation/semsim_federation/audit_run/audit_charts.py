"""The charts of the page: leakage along each axis, and the accuracy that each defense costs."""

from semsim_federation.audit_run.audit_cells import Axis, Cell
from semsim_federation.audit_run.audit_findings import AuditFindings, BoundedMean, CellFindings, DefenseCost, SeedMean
from semsim_federation.audit_run.line_chart import ChartMark, ChartPlace, LineChart

TITLES = {
    Axis.BATCH: "images in an update",
    Axis.EPOCHS: "passes over the images before an update is sent",
    Axis.DEFENSE: "defense of the update",
    Axis.ROUND: "rounds of training before the update",
}
"""The titles of the axes."""
NAMES = {
    Axis.BATCH: "batch size",
    Axis.EPOCHS: "local passes",
    Axis.DEFENSE: "defense",
    Axis.ROUND: "training round",
}
"""The names of the axes."""
SERIES = ("share", "leakage", "control")
"""The share of images that leaked, the mean leakage, and that of public images beside the same reconstructions."""


def level(cell: Cell, axis: Axis) -> str:
    """The value of a cell on an axis."""
    levels = {Axis.BATCH: cell.batch, Axis.EPOCHS: cell.epochs, Axis.DEFENSE: cell.defense, Axis.ROUND: cell.round}
    return str(levels[axis])


def leakage_chart(findings: AuditFindings, axis: Axis, threshold: float) -> LineChart:
    """The leakage along an axis."""
    cells = findings.along(axis)
    return LineChart(
        name=axis,
        description=f"Share of images that leaked, and mean leakage, by {TITLES[axis]}; the table has the numbers",
        axis=TITLES[axis],
        places=tuple(_place(one, level(one.cell, axis)) for one in cells),
        series=SERIES,
        joined=axis is not Axis.DEFENSE,
        limit=threshold,
    )


def accuracy_chart(findings: AuditFindings) -> LineChart:
    """The accuracy that a short training reaches with each defense."""
    return LineChart(
        name="accuracy",
        description="Accuracy after a short training with each defense; the table has the numbers",
        axis="defense of every update of the training",
        places=tuple(_cost(one) for one in findings.costs),
        series=("accuracy",),
        joined=False,
    )


def _place(one: CellFindings, label: str) -> ChartPlace:
    marks = []
    for name, mean, told in (
        ("share", one.share, "of the images leaked"),
        ("leakage", one.leakage, "mean leakage"),
    ):
        if mean is not None:
            marks.append(ChartMark(name, mean.value, mean.interval, f"{in_percent(mean)} {told}"))
    if one.control is not None:
        marks.append(ChartMark("control", one.control, None, f"{one.control:.0%} mean leakage of public images"))
    low, high = one.possible
    told = f"{low:.0%} to {high:.0%} of the images can have leaked; told of {len(one.told)} of {one.planned} clients"
    return ChartPlace(label, tuple(marks), (low, high) if high > low + 1e-9 else None, told)


def _cost(one: DefenseCost) -> ChartPlace:
    if one.accuracy is None:
        return ChartPlace(str(one.defense), (), (0.0, 1.0), "no training ended")
    mark = ChartMark("accuracy", one.accuracy.value, one.accuracy.interval, in_percent(one.accuracy))
    return ChartPlace(str(one.defense), (mark,))


def in_percent(mean: BoundedMean | SeedMean, *, signed: bool = False) -> str:
    """A mean with its interval: ``75% (30–95)``, or ``+1.0 (-2.0 to +4.0)`` for a difference in points."""
    form = f"{'+' if signed else ''}.{1 if isinstance(mean, SeedMean) else 0}f"
    value = f"{100 * mean.value:{form}}{'' if signed else '%'}"
    if mean.interval is None:
        return value
    dash = " to " if signed else "\N{EN DASH}"
    return f"{value} ({100 * mean.interval.low:{form}}{dash}{100 * mean.interval.high:{form}})"
