"""Growth of memory is found, and told only where it is certain."""

from benchmarks.soak.result import Slope
from benchmarks.soak.verdict import growth_fault, slope


def test_growth_is_a_fault_only_where_it_is_certain() -> None:
    """Where the whole interval is above what is allowed, of enough means."""
    assert growth_fault(Slope(100.0, 61.0, 139.0, 30)) is not None
    assert growth_fault(Slope(100.0, 59.0, 141.0, 30)) is None
    assert growth_fault(Slope(100.0, 61.0, 139.0, 10)) is None
    assert growth_fault(None) is None


def test_a_slope_is_found_over_stretches_of_different_levels() -> None:
    """60 MiB an hour, on two levels, is found, with an interval that holds it; noise alone has one that holds zero."""
    samples = [(t, 200 + t / 60 + (30 if t >= 300 else 0) + (t % 7) * 0.1) for t in range(600)]
    growth = slope(samples, [(0, 300), (300, 600)])
    assert growth is not None
    assert growth.low <= 60 <= growth.high
    assert growth.high - growth.low < 10
    assert slope(samples, [(0, 20)]) is None
