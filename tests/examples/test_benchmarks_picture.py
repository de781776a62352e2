"""The plot of the README shows the figures of other pages as they are now."""

from PIL import Image

from examples import draw_benchmarks
from tests.conftest import ROOT


def test_the_plot_is_current() -> None:
    """`make picture` would write the same text into the README and into the plot."""
    caption = draw_benchmarks.caption()
    assert caption in (ROOT / "README.md").read_text()
    with Image.open(draw_benchmarks.TARGET) as picture:
        assert picture.info["Description"] == caption


def test_the_figures_are_those_of_the_pages() -> None:
    """Every metric of the list with its interval, best first, and three servers."""
    metrics, servers = draw_benchmarks.agreement(), draw_benchmarks.throughput()
    assert {bar.name for bar in metrics} == set(draw_benchmarks.METRICS.values())
    assert [bar.value for bar in metrics] == sorted((bar.value for bar in metrics), reverse=True)
    for bar in metrics:
        assert bar.low is not None and bar.high is not None
        assert 0.5 < bar.low < bar.value < bar.high < 1
    assert [bar.name for bar in servers] == list(draw_benchmarks.SERVERS)
    assert all(0 < bar.value <= 1.1 for bar in servers)
    assert draw_benchmarks.served_model().startswith("semsim-default ")
    assert f"Right: {draw_benchmarks.served_model()}, 16 clients" in draw_benchmarks.caption()


def test_a_data_set_where_the_model_trails_is_told() -> None:
    """Each data set of the card's table is in the text, and one with a negative gain is said to trail."""
    rows = draw_benchmarks.CARD.read_text().partition("| test originals |")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    gains = {row[0]: row[-1].split()[0] for row in cells if row[0] != "all" and not row[0].endswith("victims")}
    assert {data: lead for data, _, lead in draw_benchmarks.leads()} == gains
    for data, other, lead in draw_benchmarks.leads():
        trails, gains_there = f"trails {other} by {lead[1:]} AUC on {data}", f"{lead} AUC over {other} on {data}"
        assert (trails if lead.startswith("-") else gains_there) in draw_benchmarks.caption()
