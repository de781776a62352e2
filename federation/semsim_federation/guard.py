"""The gate before a client's update leaves: send it, defend it, or keep it."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidConfiguration, InvalidUpdate
from semsim_federation.audit import Audit, as_array, defended
from semsim_federation.leakage_report import LeakageReport, LeakageVerdict
from semsim_training.attacks.reconstruction import Status
from semsim_training.defenses.defense import Defense

Action = Literal["report", "block", "defend"]
Arrays = Mapping[str, NDArray[Any]]
_log = logging.getLogger(__name__)


def check_every(every: object, counted: str = "rounds") -> None:
    """Refuse a step between audits that is no whole number of at least 1.

    Raises:
        InvalidConfiguration: what was expected, and what came.
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise InvalidConfiguration(f"expected a whole number of {counted} of at least 1, got {every!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The answer of a guard."""

    send: dict[str, NDArray[Any]] | None
    """The weights after local training that may be sent, defended or not; None where nothing may be sent."""
    report: LeakageReport | None
    """The audit of what is sent or, where nothing is, of what was tried last; None where no audit ended."""
    reason: str
    """The reason in a sentence."""
    due: bool = True
    """False where the round was not to be audited. Where it was and there is no report, the audit broke off."""


class Guard:
    """Audits the updates of a client before they are sent.

    It fails closed: where the audit raises, or could not tell, ``block`` and ``defend`` send nothing.

    Args:
        audit: the audit.
        action: ``report`` sends everything as it is; ``block`` sends nothing that leaks; ``defend`` sends what leaks
            under the first of the ``defenses`` with which it is not shown to leak, and otherwise nothing.
        every: audit the rounds whose number is a multiple of it, and those without a number. The others are sent as
            they are.
        defenses: the ladder of defenses, weakest first, such as ``("prune:0.9", "gaussian:0.01")``.
        limit: the largest share of images that may leak, or of which it cannot be told; None for none of them.
        applied: the name of the defense that clients apply before the guard, such as noise of their own. Where none is
            declared, an update that the images do not explain is not sent.

    Raises:
        InvalidConfiguration: an unknown action or defense, no defenses for ``defend`` or some for another action, or a
            number outside its range.
    """

    def __init__(
        self,
        audit: Audit,
        *,
        action: Action = "report",
        every: int = 1,
        defenses: Sequence[str] = (),
        limit: float | None = None,
        applied: str = "none",
    ) -> None:
        if action not in get_args(Action):
            raise InvalidConfiguration(f"expected the action {', '.join(get_args(Action))}, got {action}")
        check_every(every)
        if limit is not None and not (isinstance(limit, int | float) and 0 <= limit < 1):
            raise InvalidConfiguration(f"expected a limit of 0 to less than 1, got {limit}")
        if (action == "defend") != bool(defenses):
            raise InvalidConfiguration(
                f"expected defenses for the action defend and none for another, got {list(defenses)} for {action}"
            )
        self.audit, self.action, self.every, self.limit = audit, action, every, limit
        self.defenses, self.applied = tuple(Defense(name) for name in defenses), str(Defense(applied))

    def check(
        self, before: Arrays, after: Arrays, images: Sequence[Any] | NDArray[np.uint8], labels: Sequence[int],
        round: int | None = None,
    ) -> Decision:  # fmt: skip
        """Decide about one update.

        Args:
            before: the weights that the client got, by name.
            after: its weights after local training, by name.
            images: the images that it trained on, uint8 ``(N, H, W, C)`` or a list.
            labels: their classes.
            round: the round's number.
        """
        sent: dict[str, NDArray[Any]] = {}
        report: LeakageReport | None = None
        try:
            if not isinstance(after, Mapping):
                raise InvalidUpdate(f"expected the weights after training by name, got {type(after).__name__}")
            sent = {name: as_array(value) for name, value in after.items()}
            if round is not None and (isinstance(round, bool) or not isinstance(round, int)):
                raise InvalidConfiguration(f"expected a whole number of a round, got {round!r}")
            if round is not None and round % self.every:
                return Decision(sent, None, f"Round {round} is not audited.", due=False)
            report = self.audit.update(before, after, images, labels, defense=self.applied, round=round)
            if self.action == "report":
                return Decision(sent, report, report.sentence)
            if self._passes(report):
                return Decision(sent, report, report.sentence)
            if report.verdict is LeakageVerdict.LEAKS:
                undefended = report
                started = {name: as_array(value) for name, value in before.items()}
                for defense in self.defenses:
                    # Whoever knew the noise's seed could subtract it.
                    weights = defended(started, sent, defense, secrets.randbits(63))
                    audited = self.audit.update(before, weights, images, labels, defense=str(defense), round=round)
                    report = _stopped(undefended, audited)
                    if self._passes(report):
                        return Decision(weights, report, f"After {defense}: {report.sentence}")
            return Decision(None, report, report.sentence)
        except Exception as error:  # noqa: BLE001  # whatever fails, an update that was not audited is not sent
            reason = f"Could not audit the update: {type(error).__name__}: {error}"
            _log.warning("an update could not be audited: %s", type(error).__name__)
            return Decision((sent or None) if self.action == "report" else None, report, reason)

    def _passes(self, report: LeakageReport) -> bool:
        if report.verdict is LeakageVerdict.LEAKS:
            explained = any(one.explains for one in report.attempts)
            looked = explained and not any(one.prevented for one in report.attempts)
            return self.limit is not None and looked and report.share_at_most <= self.limit
        return report.verdict is LeakageVerdict.NOT_SHOWN


def _stopped(undefended: LeakageReport, report: LeakageReport) -> LeakageReport:
    """The report of a defended update, with the verdict that the undefended one allows.

    An attack that explains nothing may have been told of another training than took place. Where it explained the same
    update before the defense, what it was told is true, and the defense is what stops it. That counts only where every
    attack looked at the defended update and found nothing: one that failed, or for which time or memory was short,
    might have found the images. An attack that is for no such updates finds nothing for a server either, unless it
    took the undefended one.
    """
    explained = any(one.explains for one in undefended.attempts)
    took = {one.attack for one in undefended.attempts if one.status != "skipped"}
    stopped = all(
        one.status == Status.NOTHING_FOUND or (one.unsuited and one.attack not in took) for one in report.attempts
    )
    told = all(image.recognizable is False and not image.unsure for image in report.images)
    if report.verdict is LeakageVerdict.COULD_NOT_TELL and explained and stopped and told:
        return replace(report, verdict=LeakageVerdict.NOT_SHOWN)
    return report
