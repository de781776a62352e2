"""A site with a fully connected network, whose update on one picture leaks, and what NVFLARE gives its filter."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from nvflare.apis.dxo import DXO, DataKind
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import FLContextKey
from nvflare.apis.fl_context import FLContext, FLContextManager
from nvflare.app_common.app_constant import AppConstants
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

from semsim.images import RGBImage
from semsim_federation import Audit, Decision, Inputs, LocalTraining
from semsim_federation.nvflare import AuditedClient
from semsim_training.victims.perceptron import Perceptron

SIDE, RATE = 32, 0.1
Weights = dict[str, np.ndarray]
Trained = tuple[Audit, RGBImage, Weights, Weights]


class OnePicture(AuditedClient):
    """The client that trained on ``picture``, or that cannot say on what it did."""

    def __init__(self, audit: Audit, picture: RGBImage | None) -> None:
        super().__init__()
        self.audited, self.picture = audit, picture
        self.decisions: list[Decision] = []

    def audit(self, fl_ctx: FLContext) -> Audit:
        """The audit of the step."""
        return self.audited

    def batch(self, fl_ctx: FLContext, round: int | None) -> tuple[list[RGBImage], list[int]]:
        """The picture."""
        if self.picture is None:
            raise OSError("expected the images of the round, got none")
        return [self.picture], [3]

    def record(self, fl_ctx: FLContext, decision: Decision) -> None:
        """Keep the decision."""
        self.decisions.append(decision)


class Engine:
    """The part of NVFLARE's engine that a filter asks."""

    def __init__(self) -> None:
        self.components: dict[str, object] = {}

    def get_component(self, name: str) -> object:
        """The component of this name."""
        return self.components.get(name)

    def fire_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """Tell nobody."""


@dataclass
class Site:
    """One client: its weights before and after a step, and NVFLARE's context of the task."""

    audit: Audit
    picture: RGBImage
    before: Weights
    after: Weights
    engine: Engine
    context: FLContext

    def client(self, *, told: bool = True, picture: bool = True) -> OnePicture:
        """Make a client, which is told of the task unless ``told`` is False."""
        made = OnePicture(self.audit, self.picture if picture else None)
        if told:
            self.begin(made)
        return made

    def begin(self, client: AuditedClient, task: str = "task-1", round: int = 0) -> None:
        """Let a task begin, as NVFLARE's client does, which clears the task's data before the filters run."""
        data = DXO(DataKind.WEIGHTS, {name: value.copy() for name, value in self.before.items()}).to_shareable()
        data.set_header(AppConstants.CURRENT_ROUND, round)
        self.context.set_prop(FLContextKey.TASK_ID, task, private=True, sticky=False)
        self.context.set_prop(FLContextKey.TASK_DATA, data, private=True, sticky=False)
        client.handle_event(EventType.BEFORE_TASK_EXECUTION, self.context)
        self.context.set_prop(FLContextKey.TASK_DATA, None, private=True, sticky=False)

    def update(self, kind: str = DataKind.WEIGHTS, after: Weights | None = None) -> DXO:
        """Make the update in NVFLARE's form."""
        after = self.after if after is None else after
        change = {name: value - self.before[name] for name, value in after.items()}
        return DXO(kind, dict(after) if kind == DataKind.WEIGHTS else change, meta={"initial_metrics": {"loss": 1.0}})


def trained() -> Trained:
    """One step of a fully connected network on a handwritten digit."""
    torch.manual_seed(0)
    network = Perceptron(classes=10, size=SIDE, width=32)
    levels = np.round(load_digits().images * (255 / 16)).astype(np.uint8)
    digits = np.repeat(levels.repeat(SIDE // 8, axis=1).repeat(SIDE // 8, axis=2)[..., None], 3, axis=-1)
    inputs = Inputs(size=SIDE, classes=10, mean=127.5, std=127.5)
    audit = Audit(network, inputs, training=LocalTraining(RATE, 1), attacks=("closed-form",), controls=digits[:100])
    before = weights_of(network)
    pixels = torch.tensor(digits[300], dtype=torch.float32).permute(2, 0, 1)[None] / 127.5 - 1
    cross_entropy(network(pixels), torch.tensor([3])).backward()
    torch.optim.SGD(network.parameters(), RATE).step()
    return audit, digits[300], before, weights_of(network)


@contextmanager
def site_of(trained: Trained) -> Iterator[Site]:
    """One client in one task."""
    engine = Engine()
    manager: Any = FLContextManager(engine=engine, identity_name="site-1", job_id="job")
    with manager.new_context() as context:
        yield Site(*trained, engine, context)


def weights_of(network: torch.nn.Module) -> Weights:
    """A copy of a network's weights, by name."""
    return {name: value.detach().numpy().copy() for name, value in network.state_dict().items()}
