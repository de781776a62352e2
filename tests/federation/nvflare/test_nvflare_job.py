"""The job of ``examples/nvflare``: what NVFLARE makes of its filter, in a job and in a site's policy."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nvflare", reason="needs the extra nvflare")

from nvflare.apis.fl_constant import FilterKey
from nvflare.apis.workspace import Workspace
from nvflare.private.fed.app.fl_conf import create_privacy_manager

from semsim_federation.nvflare import AuditedClient, LeakageFilter
from tests.conftest import ROOT


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example's program, as a script beside its other modules."""
    monkeypatch.syspath_prepend(ROOT / "examples" / "nvflare")
    import job

    return job


def test_a_job_holds_the_filter_and_no_copy_of_this_project(job: Any, tmp_path: Path) -> None:
    """NVFLARE writes the filter with its options, and copies the site's own modules alone."""
    recipe = job.recipe_of(2, 1, "site-2")
    recipe.add_client_output_filter(LeakageFilter(job.DigitsClient(), refusal="empty", every=3), tasks=["train"])
    recipe.export(str(tmp_path))
    (written,) = tmp_path.rglob("config_fed_client.json")
    (filters,) = json.loads(written.read_text())["task_result_filters"]
    assert filters["tasks"] == ["train"]
    assert filters["filters"] == [
        {
            "path": "semsim_federation.nvflare_filter.LeakageFilter",
            "args": {
                "client": {"path": "digits.DigitsClient", "args": {}},
                "refusal": "empty",
                "every": 3,
                "defenses": [],
            },
        }
    ]
    assert {path.name for path in tmp_path.rglob("*.py")} == {"client.py", "digits.py"}


def test_a_sites_policy_makes_the_filter(job: Any, tmp_path: Path) -> None:
    """NVFLARE reads the filter and its client from ``privacy.json``, and tells the client of the tasks."""
    for name in ("local", "startup"):
        (tmp_path / name).mkdir()
    options = {"action": "block", "reports": str(tmp_path / "reports")}
    (tmp_path / "local" / "privacy.json").write_text(json.dumps(job.policy_of(options)))
    manager = create_privacy_manager(Workspace(str(tmp_path), "site-1"), names_only=False)
    (guarding,) = manager.get_scope(None).task_result_filters[FilterKey.OUT]
    assert isinstance(guarding, LeakageFilter)
    assert (guarding.client, guarding.action, guarding.reports) == ("audited_client", *options.values())
    assert isinstance(manager.components[guarding.client], AuditedClient)
