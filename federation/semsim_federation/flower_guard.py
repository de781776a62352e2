"""A mod of Flower that audits a client's update before it leaves the client."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Error, Message, MessageType, MetricRecord
from flwr.clientapp.typing import ClientAppCallable
from flwr.common.constant import ErrorCode
from numpy.typing import NDArray

from semsim.exceptions import InvalidUpdate
from semsim_federation.audit import Audit
from semsim_federation.flower_options import GuardOptions
from semsim_federation.guard import Action, Decision, Guard
from semsim_federation.leakage_report import LeakageReport, LeakageVerdict

Batch = Callable[[Context], tuple[Sequence[Any] | NDArray[np.uint8], Sequence[int]]]
"""The images that the client trained on, uint8 ``(N, H, W, C)`` or a list, and their labels."""
RECORD = "leakage"
"""The name of the ConfigRecord that tells the server, where ``tell`` is true."""
_REFUSAL = "The client's leakage guard did not send this update."
"""Every refusal tells the same, because a reason would say whom to attack."""
_log = logging.getLogger(__name__)


class LeakageGuard:
    """Attacks each update as a server could, and reports on it, blocks it, or defends it.

    It goes to ``@app.train(mods=[LeakageGuard(...), LocalDpMod(...)])``. A reply passes the last mod first: mods that
    add noise stand behind the guard in the list, so that it sees what is sent; mods of secure aggregation stand before
    it. Under ``block`` and ``defend`` it sends nothing that it could not audit.

    A run may change ``action``, ``every``, ``defenses``, ``limit`` and ``tell`` as ``leakage.action`` and so on under
    ``[tool.flwr.app.config]``; a node's own ``--node-config`` goes before that.

    Args:
        audit: makes the audit from the context, once per process; it must fit every client of the process.
        batch: returns the images and labels that the reply was trained on. It is called after the training.
        action: ``report`` sends every update as it is, ``block`` sends none that leaks, ``defend`` tries ``defenses``
            in their order first.
        every: audit a client's first update and each that many after it; the others are sent. The client counts, each
            type of message for itself, since a server that chooses rounds or types could choose none that is audited.
        defenses: the ladder of defenses for ``defend``, such as ``("prune:0.9", "gaussian:0.01")``.
        limit: the largest share of images that may leak; None for none of them.
        tell: True to add a ConfigRecord ``leakage`` to what is sent, and the reason to a refusal. It tells the server
            whom to attack.
        record: told of each decision on the client, for a series or a log. Where it raises, nothing is sent, unless
            the action is ``report``.

    Raises:
        InvalidConfiguration: an unknown action, or a number outside its range.
    """

    def __init__(
        self,
        audit: Callable[[Context], Audit],
        batch: Batch,
        *,
        action: Action = "report",
        every: int = 1,
        defenses: Sequence[str] = (),
        limit: float | None = None,
        tell: bool = False,
        record: Callable[[Context, Decision], None] | None = None,
    ) -> None:
        self.audit, self.batch, self.record = audit, batch, record
        self.options = GuardOptions.read(
            {"action": action, "every": every, "defenses": tuple(defenses), "limit": limit, "tell": tell}
        )
        self._audit: Audit | None = None

    def __call__(self, msg: Message, ctx: Context, call_next: ClientAppCallable) -> Message:
        """Train by ``call_next``, and return its reply, a defended one, or an error in its place."""
        options: GuardOptions | None = None
        before: dict[str, NDArray[Any]] | InvalidUpdate
        try:
            before = _weights(msg)[1]  # copies, before the training can change them
        except InvalidUpdate as error:
            before = error
        reply = call_next(msg, ctx)
        if reply.has_error() or (not _trains(msg) and not reply.content.array_records):
            return reply
        try:
            options = self.options.of(ctx)
            decision = self._decide(options, msg, before, reply, ctx)
            if self.record is not None:
                self.record(ctx, decision)
        except Exception as error:  # noqa: BLE001  # whatever fails, an update that was not audited is not sent
            reason = f"Could not audit the update: {type(error).__name__}: {error}"
            _log.warning("an update could not be audited: %s", type(error).__name__)
            sent = options is not None and options.action == "report"
            return reply if sent else _refused(msg, reason, options)
        if decision.send is None:
            return _refused(msg, decision.reason, options)
        return _sent(reply, decision, options)

    def _decide(
        self, options: GuardOptions, msg: Message, before: dict[str, NDArray[Any]] | InvalidUpdate, reply: Message,
        ctx: Context,
    ) -> Decision:  # fmt: skip
        if isinstance(before, InvalidUpdate):
            raise before
        _, after = _weights(reply)
        number = _round(msg)
        self._audit = self._audit or self.audit(ctx)
        guard = Guard(
            self._audit,
            action=options.action,
            defenses=[str(defense) for defense in options.defenses] if options.action == "defend" else (),
            limit=options.limit,
        )
        if not _due(ctx, options.every, msg.metadata.message_type):
            return Decision(after, None, "This update is not audited.")
        images, labels = self.batch(ctx)
        return guard.check(before, after, images, labels, number)


def telemetry(report: LeakageReport) -> dict[str, str | float]:
    """Sum a report up in texts and numbers; a leakage or a share that nobody could tell is left out."""
    told: dict[str, str | float] = {
        "verdict": str(report.verdict),
        "defense": report.defense,
        "attack-seconds": report.seconds,
    }
    if report.verdict is not LeakageVerdict.COULD_NOT_TELL:
        told["leaked-share"] = report.share
    if report.leakages:
        told |= {"leakage-mean": float(np.mean(report.leakages)), "leakage-max": max(report.leakages)}
    if report.control_mean is not None:
        told["leakage-control"] = report.control_mean
    return told


def _due(ctx: Context, every: int, kind: str) -> bool:
    """True for the update that is to be audited, by a count in the client's state of messages of its kind.

    With one count for all a server could have every second message be of another kind.
    """
    counted = ctx.state.metric_records.get(RECORD, MetricRecord({}))
    updates = int(counted.get(kind, 0))
    ctx.state[RECORD] = MetricRecord({**counted, kind: updates + 1})
    return updates % every == 0


def _trains(msg: Message) -> bool:
    return bool(msg.metadata.message_type.partition(".")[0] == MessageType.TRAIN)


def _weights(msg: Message) -> tuple[str, dict[str, NDArray[Any]]]:
    """The name and the arrays of a message's only ArrayRecord."""
    records = msg.content.array_records
    if len(records) != 1:
        raise InvalidUpdate(f"expected one ArrayRecord in a message, got {len(records)}")
    [(name, record)] = records.items()
    return name, {key: array.numpy() for key, array in record.items()}


def _round(msg: Message) -> int | None:
    """The round's number; None where the server sent none, which is audited like any round."""
    for record in msg.content.config_records.values():
        number = record.get("server-round")
        if isinstance(number, int) and not isinstance(number, bool):
            return number
    return None


def _refused(msg: Message, reason: str, options: GuardOptions | None) -> Message:
    told = f"{_REFUSAL} {reason}" if options is not None and options.tell else _REFUSAL
    return Message(Error(ErrorCode.MOD_FAILED_PRECONDITION, told), reply_to=msg)


def _sent(reply: Message, decision: Decision, options: GuardOptions) -> Message:
    if decision.report is not None and decision.report.defense != "none":
        name, _ = _weights(reply)
        reply.content[name] = ArrayRecord({key: Array(value) for key, value in (decision.send or {}).items()})
    if options.tell and decision.report is not None:
        reply.content[RECORD] = ConfigRecord(telemetry(decision.report))
    return reply
