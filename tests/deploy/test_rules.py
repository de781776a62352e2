"""The Prometheus rules parse, fire when they should and not otherwise, and are each explained."""

import re
import shutil
import subprocess
from itertools import product
from pathlib import Path

import yaml

from tests.conftest import ROOT
from tests.deploy.promql import DEPLOY, RULES, rule_queries
from tests.deploy.tools import promtool

PROMETHEUS = DEPLOY / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks.md"
TESTS = tuple(PROMETHEUS / f"{name}.rules.test.yaml" for name in ("semsim", "semsim-fl"))


def run(*arguments: str) -> None:
    """Run promtool, and show what it says when it fails."""
    done = subprocess.run([promtool(), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_valid() -> None:
    """The rules pass promtool's check."""
    run("check", "rules", str(RULES))


def test_the_alerts_fire_when_they_should() -> None:
    """Each alert fires, or does not, as the tests over made-up series say."""
    run("test", "rules", *map(str, TESTS))


def test_composes_prometheus_is_valid(tmp_path: Path) -> None:
    """Compose's configurations pass promtool's check, laid out as in the container, with either list of targets."""
    for config, targets in product(("prometheus", "prometheus.tls"), ("cpu", "gpu")):
        shutil.copy(RULES, tmp_path)
        shutil.copy(PROMETHEUS / f"targets-{targets}.yaml", tmp_path / "targets.yaml")
        shutil.copy(PROMETHEUS / f"{config}.yaml", tmp_path / "prometheus.yml")
        run("check", "config", str(tmp_path / "prometheus.yml"))


def test_with_tls_prometheus_scrapes_the_same() -> None:
    """Prometheus' configuration for TLS differs from the plain one by TLS alone."""
    plain, tls = (
        yaml.safe_load((PROMETHEUS / f"{name}.yaml").read_text()) for name in ("prometheus", "prometheus.tls")
    )
    (job,) = tls["scrape_configs"]
    assert (job.pop("scheme"), job.pop("tls_config")) == ("https", {"insecure_skip_verify": True})
    assert tls == plain


def test_every_alert_has_a_test_and_a_runbook() -> None:
    """Each alert is made to fire by a test, and has a runbook."""
    alerts = {query.place for query in rule_queries()}
    tests = [test for path in TESTS for test in yaml.safe_load(path.read_text())["tests"]]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == alerts
    headings = re.findall(r"^### (SemSim\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(alerts)
