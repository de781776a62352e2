"""The site's side of a leakage filter of NVFLARE: the audit, and the images that a task trained on."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from nvflare.apis.dxo import DataKind, from_shareable
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_component import FLComponent
from nvflare.apis.fl_constant import FLContextKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable
from nvflare.apis.utils.task_utils import contains_lazy_download_ref, materialize_lazy_download_refs
from nvflare.app_common.app_constant import AppConstants

from semsim.exceptions import InvalidUpdate
from semsim.images import RGBImage
from semsim_federation.audit import Audit
from semsim_federation.guard import Decision


@dataclass(frozen=True, slots=True)
class ReceivedTask:
    """The global weights that came with a task."""

    identifier: str
    """NVFLARE's identifier of the task."""
    round: int | None
    """The round of the workflow, counted from 0; None where the server told none."""
    weights: dict[str, NDArray[Any]]


class AuditedClient(FLComponent, ABC):  # type: ignore[misc]  # nvflare has no types
    """A component of a client that :class:`~semsim_federation.nvflare_filter.LeakageFilter` asks.

    A site writes a subclass with :meth:`audit` and :meth:`batch`, and lists it under ``components`` of its
    ``privacy.json`` or of a job. It keeps a copy of the global weights of each task when the task begins, since NVFLARE
    clears them before its result filters run. An own ``handle_event`` must call this one.
    """

    _received: ReceivedTask | None = None

    @abstractmethod
    def audit(self, fl_ctx: FLContext) -> Audit:
        """Return the audit with the network, its inputs and the local training. The filter asks once."""

    @abstractmethod
    def batch(self, fl_ctx: FLContext, round: int | None) -> tuple[Sequence[RGBImage], Sequence[int]]:
        """Return the images, uint8 ``(H, W, C)``, and the labels that the update of ``round`` was trained on."""

    def record(self, fl_ctx: FLContext, decision: Decision) -> None:
        """Take note of a decision, such as in a series; this one does nothing. Where it raises, nothing is sent."""

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """Keep the weights of the task that begins."""
        if event_type == EventType.BEFORE_TASK_EXECUTION:
            self._received = None  # an exception below must not leave the weights of another task
            self._received = _received(fl_ctx)

    def received(self, fl_ctx: FLContext) -> ReceivedTask:
        """Return the weights of the present task.

        Raises:
            InvalidUpdate: the task's weights were not heard of, or the task brought none.
        """
        task = fl_ctx.get_prop(FLContextKey.TASK_ID)
        if self._received is None or self._received.identifier != task:
            raise InvalidUpdate(
                f"expected the global weights of task {task}, got none: the task brought no weights, or "
                f"{type(self).__name__} is not listed under components, so that NVFLARE tells it of no task"
            )
        return self._received


def arrays(data: Mapping[str, object]) -> dict[str, NDArray[Any]]:
    """Copy the tensors of a DXO, of NumPy or PyTorch.

    Raises:
        InvalidUpdate: a value is no tensor, such as an encrypted or a quantised one.
    """
    copied = {}
    for name, value in data.items():
        if hasattr(value, "detach"):
            value = value.detach().cpu().numpy()
        if not isinstance(value, np.ndarray | np.number):
            raise InvalidUpdate(
                f"expected tensors of NumPy or PyTorch, got {type(value).__name__} as {name}: filters that encrypt or "
                "quantise belong after the leakage filter"
            )
        copied[name] = np.array(value)
    return copied


def _received(fl_ctx: FLContext) -> ReceivedTask | None:
    task = fl_ctx.get_prop(FLContextKey.TASK_DATA)
    if not isinstance(task, Shareable):
        return None
    if contains_lazy_download_ref(task):  # an external training process would fetch the tensors itself
        task = materialize_lazy_download_refs(task, fl_ctx.get_engine().get_cell())
    try:
        dxo = from_shareable(task)
    except ValueError:
        return None
    if dxo.data_kind != DataKind.WEIGHTS or not dxo.data:
        return None
    current = task.get_header(AppConstants.CURRENT_ROUND, fl_ctx.get_prop(AppConstants.CURRENT_ROUND))
    return ReceivedTask(str(fl_ctx.get_prop(FLContextKey.TASK_ID)), current, arrays(dxo.data))
