"""The job of ``examples/nvflare``: what NVFLARE makes of its filter, in a job and in a site's policy."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("nvflare", reason="needs the extra nvflare")

from nvflare.apis.dxo import DataKind, from_shareable
from nvflare.apis.fl_constant import FilterKey, FLContextKey
from nvflare.apis.utils.task_utils import apply_filters
from nvflare.apis.workspace import Workspace
from nvflare.private.fed.app.fl_conf import create_privacy_manager
from nvflare.private.fed.client.client_runner import ClientRunnerConfig, TaskRouter
from nvflare.private.privacy_manager import Scope
from torch.nn.functional import cross_entropy

from semsim_federation.nvflare import LeakageFilter
from tests.conftest import ROOT
from tests.federation.nvflare.audited_site import Trained, site_of, weights_of


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example's program, as a script beside its other modules."""
    monkeypatch.syspath_prepend(ROOT / "examples" / "nvflare")
    import job

    return job


def test_a_job_holds_the_filter_and_no_copy_of_this_project(job: Any, tmp_path: Path) -> None:
    """NVFLARE writes the filter with its options, and copies the site's own modules alone."""
    recipe = job.recipe_of(1, 1)
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


def test_a_sites_policy_blocks_in_every_job(job: Any, tmp_path: Path) -> None:
    """NVFLARE reads the filter and its client from ``privacy.json``, tells the client of a task, and filters results.

    NVFLARE's simulator applies no site's policy to its clients, so that this goes the way of a client's process
    (client_app_runner.py, client_runner.py).
    """
    for name in ("local", "startup"):
        (tmp_path / name).mkdir()
    policy = (ROOT / "examples" / "nvflare" / "privacy.json").read_text()
    (tmp_path / "local" / "privacy.json").write_text(policy.replace("/tmp/semsim-nvflare", str(tmp_path)))  # noqa: S108
    manager = create_privacy_manager(Workspace(str(tmp_path), "site-1"), names_only=False)
    config = ClientRunnerConfig(TaskRouter(), {}, {})
    for name, component in manager.components.items():
        config.add_component(name, component)
    with site_of(one_step(job)) as site:
        site.engine.components = config.components
        site.context.set_prop(FLContextKey.SCOPE_OBJECT, manager.get_scope(None), private=True, sticky=True)
        for handler in config.handlers:
            site.begin(handler)
        chain, result = Scope.TASK_RESULT_FILTERS_NAME, site.update().to_shareable()
        sent = from_shareable(apply_filters(chain, result, site.context, {}, "train", FilterKey.OUT))
    assert (sent.data_kind, sent.data) == (DataKind.WEIGHTS, {})
    assert {path.suffix for path in (tmp_path / "reports").iterdir()} == {".json", ".parquet", ".png"}
    (kept,) = (tmp_path / "reports").glob("*.json")
    assert json.loads(kept.read_text())["report"]["verdict"] == "leaks"


def one_step(job: Any) -> Trained:
    """The first step of the example's first client."""
    import digits

    images, labels = digits.batch_of("site-1", 0)
    network = job.DigitNetwork()
    before = weights_of(network)
    cross_entropy(network(digits.tensor_of(images)), torch.tensor(labels)).backward()
    torch.optim.SGD(network.parameters(), digits.LEARNING_RATE).step()
    return job.DigitsClient().audit(None), images[0], before, weights_of(network)
