"""The project's PromQL: the metrics that it asks for, the labels that these must have, and the values of the labels."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "semsim"
DASHBOARD = DEPLOY / "grafana" / "semsim.json"
RULES = DEPLOY / "prometheus" / "semsim.rules.yaml"
GUIDE = ROOT / "docs" / "deploy.md"

TARGET_LABELS = frozenset({"job", "instance", "namespace", "pod", "service", "accelerator"})
"""The labels that Prometheus and the scrape configuration add to every series."""

# The template of the chart's query fills in the braces.
_METRIC = re.compile(r"\b((?:semsim|process)_\w+)\s*(\{[^}]*\})?(?=[\s\[)(,/}]|$)")
_MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*\"([^\"]*)\"")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")


@dataclass(frozen=True)
class Query:
    """One expression and its place."""

    place: str
    expression: str
    metrics: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        bare = re.sub(r'"[^"]*"', '""', self.expression)
        object.__setattr__(self, "metrics", frozenset(name for name, _ in _METRIC.findall(bare)))

    @property
    def matchers(self) -> list[tuple[str, str, str]]:
        """The metric, label and value of every label matcher. Alternatives come apart, and variables are left out."""
        return [
            (metric, label, alternative)
            for metric, braces in _METRIC.findall(self.expression)
            for label, _, value in _MATCHER.findall(braces)
            for alternative in value.split("|")
            if label not in TARGET_LABELS
        ]

    @property
    def grouped(self) -> set[str]:
        """The labels that the expression groups by."""
        return {name.strip() for group in _GROUPING.findall(self.expression) for name in group.split(",")} - {""}


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard, rows among them."""
    return list(json.loads(DASHBOARD.read_text())["panels"])


def dashboard_queries() -> Iterator[Query]:
    """Every expression of the dashboard: panels, variables, annotations."""
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield Query(f"{panel['title']} {target['refId']}", target["expr"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield Query(f"variable {variable['name']}", variable["query"]["query"])


def rule_queries() -> Iterator[Query]:
    """The expression of every alert."""
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            yield Query(rule["alert"], rule["expr"])


def autoscaling_queries() -> Iterator[Query]:
    """The query of the ScaledObject, and that of the rule for prometheus-adapter in the guide."""
    template = (CHART / "templates" / "_helpers.tpl").read_text()
    for name, place in (("queueQuery", "{{ $pods }}"), ("oldestQuery", r"{{ printf .*? }}")):
        match = re.search(rf'define "semsim.{name}".*?\n((?:sum|avg).*?)\n', template, re.DOTALL)
        assert match is not None
        pods = '{service="semsim"}'
        yield Query("chart", match[1].replace(place, pods) if "$" in place else re.sub(place, pods, match[1]))
    adapter = yaml.safe_load(code_block(GUIDE, "metricsQuery"))
    for rule in adapter["rules"]["external"]:
        yield Query("adapter series", rule["seriesQuery"])
        yield Query("adapter query", rule["metricsQuery"].replace("{<<.LabelMatchers>>}", ""))


def code_block(page: Path, word: str) -> str:
    """The fenced block of a page in which a word stands."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return next(block for block in blocks if word in block)


def queries() -> list[Query]:
    """Every query of the project."""
    return [*dashboard_queries(), *rule_queries(), *autoscaling_queries()]
