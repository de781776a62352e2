"""The Grafana dashboard has no fault that Grafana would show only to somebody who looks."""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.promql import DASHBOARD, Query, dashboard_queries, panels
from tests.deploy.tools import promtool

GRID = 24
VARIABLES = {"$__rate_interval": "5m", "$queue_pairs": "1024"}


def test_panels_do_not_overlap() -> None:
    """Every panel has an id and a place of its own, inside the grid."""
    places = [panel["gridPos"] for panel in panels()]
    assert len({panel["id"] for panel in panels()}) == len(places)
    assert all(place["x"] + place["w"] <= GRID for place in places)
    for one, other in combinations(places, 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y, (one, other)


def unit_or_scheme(panel: dict[str, Any]) -> str | None:
    """The unit of a panel's numbers, or the colours that stand for them."""
    unit: str | None = panel["fieldConfig"]["defaults"].get("unit")
    scheme: str | None = panel["options"].get("color", {}).get("scheme")
    return unit or scheme


def test_panels_say_what_they_show() -> None:
    """Every panel but a row has a title, a description, a unit or a scheme (no table), and the chosen data source."""
    for panel in panels():
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["description"].endswith("."), panel["title"]
            assert panel["type"] == "table" or unit_or_scheme(panel), panel["title"]
            sources = {panel["datasource"]["uid"], *(target["datasource"]["uid"] for target in panel["targets"])}
            assert sources == {"${datasource}"}


def test_legends_name_labels_of_their_query() -> None:
    """A legend {{code}} needs a query that keeps the label code."""
    for panel in panels():
        for target in panel.get("targets", []):
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert named <= Query(panel["title"], target["expr"]).grouped


def test_variables_exist() -> None:
    """Every variable of an expression is one of the dashboard's, or Grafana's own."""
    dashboard = json.loads(DASHBOARD.read_text())
    known = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard["panels"])))
    assert {name for name in used if not name.startswith("__")} == known


def test_the_expressions_are_promql(tmp_path: Path) -> None:
    """Promtool reads every expression."""
    rules = []
    for query in dashboard_queries():
        expression = query.expression
        if expression.startswith("label_values"):
            continue
        for name, value in VARIABLES.items():
            expression = expression.replace(name, value)
        rules.append({"record": "x", "expr": expression, "labels": {"place": query.place}})
    file = tmp_path / "dashboard.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = subprocess.run([promtool(), "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
