"""Small charts of shares as SVG, whose colours the page's style gives: light, dark and in print."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree as ET

from semsim_training.statistics.intervals import Interval

_HEIGHT, _NARROW, _WIDE, _FEW = 270.0, 460.0, 940.0, 5
"""The height, and the widths of charts of few places and of more."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 42.0, 10.0, 10.0, 58.0
_LINE = 13.0
"""The distance between lines of text."""
_CHARACTER = 7.0
"""The width of a character, and of a little space."""
_APART = 11.0
"""The distance between the marks of two series at one place."""
_HALF = 9.0
"""Half of the width of what could not be told."""


@dataclass(frozen=True, slots=True)
class ChartMark:
    """A value of one series at one place."""

    series: str
    """The name of the series, a class of the page's style."""
    value: float
    """0..1."""
    interval: Interval | None
    told: str
    """The value in words, which is shown where a pointer rests on the mark."""


@dataclass(frozen=True, slots=True)
class ChartPlace:
    """A value of the axis, and what was measured there."""

    label: str
    marks: tuple[ChartMark, ...]
    unknown: tuple[float, float] | None = None
    """The range in which the share of the first series lies with what could not be told; None where all was told."""
    unknown_told: str = ""
    """The range in words."""


@dataclass(frozen=True, slots=True)
class LineChart:
    """Shares from 0 to 100% at places that are as far apart as the next ones, whatever their values."""

    name: str
    """A word that tells the chart apart in the page."""
    description: str
    """The content in words, for people who do not see the chart."""
    axis: str
    """The title of the axis."""
    places: tuple[ChartPlace, ...]
    series: tuple[str, ...]
    """The names of the series in the order in which they stand side by side."""
    joined: bool
    """True where lines join the marks of a series."""
    limit: float | None = None
    """A share that a dashed line marks."""

    @property
    def is_wide(self) -> bool:
        """True where the chart needs twice the width."""
        return len(self.places) > _FEW

    @property
    def _width(self) -> float:
        return _WIDE if self.is_wide else _NARROW

    def svg(self) -> str:
        """The chart as an ``svg`` element for a page."""
        size = {"viewBox": f"0 0 {self._width:g} {_HEIGHT:g}", "role": "img", "aria-label": self.description}
        root = ET.Element("svg", {"class": "chart wide" if self.is_wide else "chart", **size})
        pattern = ET.SubElement(ET.SubElement(root, "defs"), "pattern", {"id": f"unknown-{self.name}"})
        for name, value in (("width", "6"), ("height", "6"), ("patternUnits", "userSpaceOnUse")):
            pattern.set(name, value)
        ET.SubElement(pattern, "path", {"d": "M0 6L6 0", "class": "hatch"})
        self._frame(root)
        step = (self._width - _LEFT - _RIGHT) / len(self.places)
        centres = [_LEFT + step * (number + 0.5) for number in range(len(self.places))]
        if self.joined:
            for name in self.series:
                self._lines(root, name, centres)
        for place, centre in zip(self.places, centres, strict=True):
            self._place(root, place, centre, step)
        return ET.tostring(root, encoding="unicode")

    def _frame(self, root: ET.Element) -> None:
        for percent in (0, 25, 50, 75, 100):
            at = _height(percent / 100)
            _line(root, "grid", _LEFT, at, self._width - _RIGHT, at)
            _text(root, "tick end", _LEFT - 5, at + 4, f"{percent}%")
        if self.limit is not None:
            _line(root, "limit", _LEFT, _height(self.limit), self._width - _RIGHT, _height(self.limit))
        _text(root, "axis", (_LEFT + self._width - _RIGHT) / 2, _HEIGHT - 9, self.axis)

    def _lines(self, root: ET.Element, name: str, centres: Sequence[float]) -> None:
        """Join the marks of a series at neighbouring places; a place without one leaves a gap."""
        values = [next((mark.value for mark in place.marks if mark.series == name), None) for place in self.places]
        offset = self._offset(name)
        for (left, first), (right, second) in pairwise(zip(centres, values, strict=True)):
            if first is not None and second is not None:
                _line(root, f"join {name}", left + offset, _height(first), right + offset, _height(second))

    def _place(self, root: ET.Element, place: ChartPlace, centre: float, step: float) -> None:
        for number, line in enumerate(_broken(place.label, int(step / _CHARACTER))):
            _text(root, "label", centre, _HEIGHT - _BOTTOM + 17 + number * _LINE, line)
        if place.unknown is not None:
            low, high = place.unknown
            at = centre + self._offset(self.series[0]) if place.marks else centre
            box = {"x": at - _HALF, "y": _height(high), "width": 2 * _HALF, "height": _height(low) - _height(high)}
            numbers = {name: f"{value:.1f}" for name, value in box.items()}
            style = {"class": "unknown", "fill": f"url(#unknown-{self.name})"}
            _titled(ET.SubElement(root, "rect", numbers | style), place.unknown_told)
        for mark in place.marks:
            at = centre + self._offset(mark.series)
            if mark.interval is not None:
                low, high = _height(mark.interval.low), _height(mark.interval.high)
                _line(root, f"interval {mark.series}", at, low, at, high)
            _titled(_shape(root, mark, at, self.series.index(mark.series)), mark.told)

    def _offset(self, name: str) -> float:
        return (self.series.index(name) - (len(self.series) - 1) / 2) * _APART


def _height(share: float) -> float:
    """The place of a share from the top."""
    return _TOP + (1 - min(max(share, 0.0), 1.0)) * (_HEIGHT - _TOP - _BOTTOM)


def _shape(root: ET.Element, mark: ChartMark, at: float, number: int) -> ET.Element:
    """A disc, a diamond or a ring: series differ without colours, too."""
    height = _height(mark.value)
    if number == 1:
        path = f"M{at:.1f} {height - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"
        return ET.SubElement(root, "path", {"class": f"mark {mark.series}", "d": path})
    place = {"cx": f"{at:.1f}", "cy": f"{height:.1f}", "r": "4.2" if number == 0 else "3.4"}
    return ET.SubElement(root, "circle", {"class": f"mark {mark.series}", **place})


def _line(root: ET.Element, style: str, left: float, top: float, right: float, bottom: float) -> None:
    ends = {"x1": left, "y1": top, "x2": right, "y2": bottom}
    ET.SubElement(root, "line", {"class": style, **{name: f"{value:.1f}" for name, value in ends.items()}})


def _text(root: ET.Element, style: str, x: float, y: float, text: str) -> None:
    ET.SubElement(root, "text", {"class": style, "x": f"{x:.1f}", "y": f"{y:.1f}"}).text = text


def _titled(element: ET.Element, text: str) -> None:
    ET.SubElement(element, "title").text = text


def _broken(label: str, width: int) -> list[str]:
    """A label in at most two lines, broken behind a sign; what is longer is cut and ends in an ellipsis."""
    if len(label) <= width:
        return [label]
    places = [at + 1 for at, sign in enumerate(label[:width]) if sign in ":+ "]
    at = places[-1] if places else width
    rest = label[at:].strip()
    return [label[:at].strip(), rest if len(rest) <= width else f"{rest[: width - 1]}…"]
