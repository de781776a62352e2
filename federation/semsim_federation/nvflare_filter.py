"""A filter of NVFLARE that audits a client's update before it leaves the site."""

import json
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from nvflare.apis.dxo import DXO, DataKind, from_shareable
from nvflare.apis.dxo_filter import DXOFilter
from nvflare.apis.filter import ContentBlockedException
from nvflare.apis.fl_constant import FLContextKey, ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import ReservedHeaderKey, Shareable, make_reply

from semsim.exceptions import InvalidConfiguration, InvalidUpdate
from semsim_federation.guard import Action, Decision, Guard, check_every
from semsim_federation.nvflare_client import AuditedClient, ReceivedTask, arrays
from semsim_federation.nvflare_reply import refuse_hidden_tensors

Refusal = Literal["error", "empty"]
_BLOCKED = "the site blocked this update"
_PACKAGES = ("semsim", "semsim_training", "semsim_federation")


class LeakageFilter(DXOFilter):  # type: ignore[misc]  # nvflare has no types
    """Attacks each update as a server could, and reports on it, blocks it, or defends it.

    It belongs in ``task_result_filters``: of the site's ``privacy.json``, which no job can take out, or of a job
    (``recipe.add_client_output_filter``). Filters that encrypt, quantise or aggregate securely belong after it; a
    filter that adds noise belongs before it. What it cannot read, match or attack is blocked, unless it only reports.

    Args:
        client: the :class:`AuditedClient`, or its ``id`` among the components.
        action: ``report`` sends every update as it is, ``block`` sends none that leaks or that could not be audited,
            ``defend`` tries ``defenses`` in their order first.
        every: audit the first update of a kind of task and each that many after it; the others are sent as they are.
        defenses: the ladder of defenses for ``defend``, such as ``["prune:0.9", "gaussian:0.01"]``.
        limit: the largest share of images that may leak, as :class:`~semsim_federation.guard.Guard` takes it.
        refusal: the answer in place of a blocked update. ``error`` ends the task with ``TASK_RESULT_FILTER_ERROR``, on
            which FedAvg aborts the run unless enough clients are left. ``empty`` sends a DXO without data, which FedAvg
            leaves out of the mean.
        passes: the kinds of data that are no weights and may pass; ``["METRICS"]`` where it is None. METRICS pass only
            as plain numbers by name.
        reports: a directory of the site for a JSON file per audited round; empty for none.
        tell: True to write the verdict into NVFLARE's log, too, which a job may stream to its server.
        applied: the defense of filters before it, as :class:`~semsim_federation.guard.Guard` takes it.

    Raises:
        InvalidConfiguration: an unknown refusal, or ``every`` is no whole number of at least 1.
    """

    def __init__(
        self,
        client: AuditedClient | str = "audited_client",
        action: Action = "block",
        every: int = 1,
        defenses: Sequence[str] = (),
        limit: float | None = None,
        refusal: Refusal = "error",
        passes: list[str] | None = None,
        reports: str = "",
        tell: bool = False,
        applied: str = "none",
    ) -> None:
        super().__init__(supported_data_kinds=None, data_kinds_to_filter=None)  # all kinds: an unknown one is blocked
        if refusal not in ("error", "empty"):
            raise InvalidConfiguration(f"expected the refusal error or empty, got {refusal}")
        check_every(every, "updates")
        # NVFLARE writes a job's configuration from attributes that are named as the arguments.
        self.client = client
        self.action = action
        self.every = every
        self.defenses = list(defenses)
        self.limit = limit
        self.refusal = refusal
        self.passes = passes
        self.reports = reports
        self.tell = tell
        self.applied = applied
        self._guard: Guard | None = None
        self._updates: dict[str, int] = {}
        self._task: ReceivedTask | None = None

    def add_to_fed_job(self, job: object, ctx: object, **options: object) -> None:
        """Join a job without a copy of this project's source in it, which would shadow the installed one."""
        job.set_app_packages([*job.job.app_packages, *_PACKAGES])  # type: ignore[attr-defined]  # nvflare has no types
        super().add_to_fed_job(job, ctx, **options)

    def process(self, shareable: Shareable, fl_ctx: FLContext) -> Shareable:
        """Filter a task's result, which NVFLARE's own filters let pass where it is no DXO or tells of a failure.

        A result that is no DXO, or that holds more than numbers and texts beside the data of its DXO, is blocked. A
        result with another return code than OK goes out as that code alone. The action ``report`` sends them as they
        are.

        Raises:
            ContentBlockedException: the result is no DXO, or ``refusal`` is ``error`` and an update is blocked.
        """
        if self.action == "report":
            return super().process(shareable, fl_ctx)
        code = shareable.get_return_code()
        if code != ReturnCode.OK:
            bare = make_reply(str(code))
            if shareable == bare:
                return shareable
            self.log_warning(fl_ctx, f"expected nothing but the return code {code}, got data, too, and removed it")
            return bare
        dxo = DXO(DataKind.APP_DEFINED, data={})  # of a result that has none
        try:
            if set(shareable) - {ReservedHeaderKey.HEADERS}:
                dxo = from_shareable(shareable)
            refuse_hidden_tensors(shareable)
        except InvalidUpdate as error:
            decision = Decision(None, None, f"Could not audit the update: {type(error).__name__}: {error}")
            self._answer(dxo, fl_ctx, None, decision)
            return DXO(dxo.data_kind if isinstance(dxo.data_kind, str) else DataKind.APP_DEFINED, {}).to_shareable()
        except ValueError as error:
            self.log_warning(fl_ctx, f"expected a result that holds a DXO, got another one: {error}")
            raise ContentBlockedException(_BLOCKED) from error
        return super().process(shareable, fl_ctx)

    def process_dxo(self, dxo: DXO, shareable: Shareable, fl_ctx: FLContext) -> DXO | None:
        """Audit one DXO.

        Returns:
            The DXO to send, or None where the given one may be sent as it is.

        Raises:
            ContentBlockedException: the update is blocked, and ``refusal`` is ``error``.
        """
        try:
            if self._passes(dxo):
                return None
            return self._audited(dxo, fl_ctx)
        except ContentBlockedException:
            raise
        except Exception as error:  # noqa: BLE001  # whatever fails, an update that was not audited is not sent
            reason = f"Could not audit the update: {type(error).__name__}: {error}"
            sent = dxo.data if self.action == "report" else None
            return self._answer(dxo, fl_ctx, None, Decision(sent, None, reason))

    def _passes(self, dxo: DXO) -> bool:
        if dxo.data_kind not in (["METRICS"] if self.passes is None else self.passes):
            return False
        if dxo.data_kind == DataKind.METRICS:
            for name, value in dxo.data.items():
                if not isinstance(value, int | float | np.number):
                    raise InvalidUpdate(f"expected plain numbers as METRICS, got {type(value).__name__} as {name}")
        return True

    def _audited(self, dxo: DXO, fl_ctx: FLContext) -> DXO | None:
        if dxo.data_kind not in (DataKind.WEIGHTS, DataKind.WEIGHT_DIFF):
            raise InvalidUpdate(f"expected WEIGHTS or WEIGHT_DIFF, got {dxo.data_kind}, which is not named in passes")
        client = self._client(fl_ctx)
        self._guard = self._guard or Guard(
            client.audit(fl_ctx),
            action=self.action,
            defenses=self.defenses,
            limit=self.limit,
            applied=self.applied,
        )
        task = client.received(fl_ctx)
        if not self._is_due(task, str(fl_ctx.get_prop(FLContextKey.TASK_NAME))):
            return None
        after = _after(dxo, task)
        images, labels = client.batch(fl_ctx, task.round)
        decision = self._guard.check(task.weights, after, images, labels, task.round)
        client.record(fl_ctx, decision)
        if decision.send is None or all(decision.send[name] is value for name, value in after.items()):
            return self._answer(dxo, fl_ctx, task.round, decision)
        defended = DXO(dxo.data_kind, data=_as_given(dxo, task, decision.send), meta=dxo.meta)
        self._answer(dxo, fl_ctx, task.round, decision)
        return defended

    def _is_due(self, task: ReceivedTask, name: str) -> bool:
        """True for a task whose update is to be audited, with all parts of a collection.

        The count is the site's own, since a server that names the rounds could name none that is audited. Each kind of
        task has its own, since a server could have every second task be of another kind.
        """
        if task is not self._task:
            self._task, self._updates[name] = task, self._updates.get(name, -1) + 1
        return self._updates[name] % self.every == 0

    def _client(self, fl_ctx: FLContext) -> AuditedClient:
        client = self.client
        if isinstance(client, str):
            client = fl_ctx.get_engine().get_component(client)
        if not isinstance(client, AuditedClient):
            raise InvalidConfiguration(
                f"expected a component {self.client} that is an AuditedClient, got {type(client).__name__}"
            )
        return client

    def _answer(self, dxo: DXO, fl_ctx: FLContext, round: int | None, decision: Decision) -> DXO | None:
        """Keep the decision at the site; refuse the update where nothing may be sent."""
        if self.reports:
            folder = Path(self.reports)
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{fl_ctx.get_job_id()}-{fl_ctx.get_identity_name()}-{round}"
            report = decision.report and decision.report.values()
            content = {"sent": decision.send is not None, "reason": decision.reason, "report": report}
            # The parts of a collection share a round, and so do updates whose round nobody knows.
            paths = (folder / f"{name}{suffix}.json" for suffix in chain([""], (f"-{number}" for number in count(2))))
            path = next(one for one in paths if not one.exists())
            path.write_text(json.dumps(content, indent=2))
        if decision.send is not None:
            self._log(fl_ctx, "sent an update", decision)
            return None
        self._log(fl_ctx, "blocked an update", decision)
        if self.refusal == "error":
            raise ContentBlockedException(_BLOCKED)
        return DXO(dxo.data_kind, data={})

    def _log(self, fl_ctx: FLContext, done: str, decision: Decision) -> None:
        """Write into NVFLARE's log, which a job may stream to its server: the verdict only where the site tells it."""
        told = self.tell or decision.report is None
        self.log_info(fl_ctx, f"{done}: {decision.reason}" if told else done)


def _after(dxo: DXO, task: ReceivedTask) -> dict[str, NDArray[Any]]:
    sent = arrays(dxo.data)
    if dxo.data_kind == DataKind.WEIGHTS:
        return sent
    if others := sorted(set(sent) - set(task.weights)):
        raise InvalidUpdate(f"expected changes of the weights of the task, got {', '.join(others)}, too")
    return {name: task.weights[name] + change for name, change in sent.items()}


def _as_given(dxo: DXO, task: ReceivedTask, weights: dict[str, Any]) -> dict[str, Any]:
    """The weights, or their change, in the types of the DXO's tensors."""
    made = {}
    for name, given in dxo.data.items():
        value = weights[name] - task.weights[name] if dxo.data_kind == DataKind.WEIGHT_DIFF else weights[name]
        made[name] = given.new_tensor(value) if hasattr(given, "new_tensor") else np.asarray(value, given.dtype)
    return made
