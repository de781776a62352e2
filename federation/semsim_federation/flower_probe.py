"""A probe of Flower's server: what a client with public images would give away in this round."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, MetricRecord
from numpy.typing import NDArray

from semsim_federation.audit import Audit, TrainFunction
from semsim_federation.flower_guard import telemetry
from semsim_federation.guard import check_every
from semsim_federation.leakage_report import LeakageReport, LeakageVerdict

_log = logging.getLogger(__name__)


def leakage_probe(
    audit: Audit,
    train_fn: TrainFunction,
    images: Sequence[Any] | NDArray[np.uint8],
    labels: Sequence[int],
    *,
    every: int = 1,
    defense: str = "none",
    record: Callable[[LeakageReport], None] | None = None,
) -> Callable[[int, ArrayRecord], MetricRecord | None]:
    """Make an ``evaluate_fn`` for ``Strategy.start`` that audits the global weights of a round on public images.

    It trains a client of its own by ``train_fn``, and never sees an update or an image of a client. An audit that fails
    is logged and told as ``could-not-tell``; the run goes on.

    Args:
        audit: the audit, with the clients' local training.
        train_fn: the local training of a client: weights by name, images and labels to the weights after it.
        images: public images as the network takes them, uint8 ``(N, H, W, C)`` or a list.
        labels: their classes.
        every: probe the rounds whose number is a multiple of it, round 0 of the first weights among them.
        defense: the defense that clients apply to the change of their weights.
        record: told of each report, for a series or a log.

    Returns:
        A function of the round and the global weights. Its metrics are ``could-not-tell`` (0 or 1),
        ``attack-seconds`` and, where something can be told, ``leaks`` (0 or 1), ``leaked-share``, ``leakage-mean``,
        ``leakage-max`` and ``leakage-control``, the mean of the controls beside the same reconstructions; it returns
        None for rounds that are not probed.

    Raises:
        InvalidConfiguration: ``every`` is not a whole number of at least 1.
    """
    check_every(every)

    def evaluate(server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        if server_round % every:
            return None
        weights = {name: array.numpy() for name, array in arrays.items()}
        try:
            report = audit.probe(weights, train_fn, images, labels, defense=defense, round=server_round)
            if record is not None:
                record(report)
        except Exception as error:  # noqa: BLE001  # a broken probe must not end the clients' training
            _log.warning("round %d could not be probed: %s: %s", server_round, type(error).__name__, error)
            return MetricRecord({"could-not-tell": 1})
        untold = report.verdict is LeakageVerdict.COULD_NOT_TELL
        verdicts = {"could-not-tell": int(untold)}
        if not untold:
            verdicts["leaks"] = int(report.verdict is LeakageVerdict.LEAKS)
        numbers = {name: value for name, value in telemetry(report).items() if isinstance(value, float)}
        return MetricRecord(verdicts | numbers)

    return evaluate
