"""Attacks one after another, until the time is over."""

import math
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidUpdate
from semsim_federation.leakage_report import Attempt
from semsim_federation.search_cost import CHECK, SearchCost, free_memory, search_cost
from semsim_federation.time_limit import TimeIsOver, time_limit
from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.choice import ClosedForm
from semsim_training.attacks.dispatch import run_attack
from semsim_training.attacks.explanation import explanations
from semsim_training.attacks.reconstruction import Reconstruction, Status
from semsim_training.attacks.search import Options
from semsim_training.attacks.simulation import tried_path
from semsim_training.observations.observation import Observation

_CHECK_SHARE, _CHECK_MOST = 0.2, 1.0
"""The share of the time, and the most seconds, for the check of a small network's result, which imports much."""


_DECLARED, _SLACK = 0.9, 0.05
"""The gain that a client's own images reach on an update without a defense, and the amount by which theirs may be less
than an attack's under one."""


class TooLarge(Exception):
    """A search does not fit into the time that is left, or into memory."""


@dataclass(slots=True, eq=False)
class Attempts:
    """The attacks on one observation, and what came of each."""

    observation: Observation
    deadline: float
    """The time by ``time.monotonic`` at which the attacks end."""
    device: str
    seed: int
    done: list[Attempt] = field(default_factory=list)
    _cost: SearchCost | None = None

    @property
    def explained(self) -> bool:
        """True where an attack's images explained the update, or a part of it."""
        return any(one.explains for one in self.done)

    @property
    def prevented(self) -> tuple[str, ...]:
        """The reason why an attack might have found more than these did; empty where every one looked."""
        names = ", ".join(f"{one.attack} ({one.status.replace('_', ' ')})" for one in self.done if one.prevented)
        return (f"attacks that did not look to their end might have found more: {names}",) if names else ()

    def doubts(self, images: NDArray[np.uint8], *, is_defended: bool) -> tuple[str, ...]:
        """The reason why the declaration may be wrong, by what the client's own images explain of the update.

        Images of another client, more images than were declared, and other training explain less than they should: an
        attack on such an update finds images that nothing is compared with. A defense takes away what they explain,
        but leaves them ahead of what an attack finds.
        """
        labels = self.observation.labels
        if labels is None:
            return ("the update was audited without labels",)
        declared = explanations([self.observation], [images], [labels])[0].gain
        best = max((one.gain for one in self.done if one.gain is not None), default=0.0)
        least = max(best - _SLACK, 0.0) if is_defended else _DECLARED
        if declared >= least:  # NaN is less, too
            return ()
        return (
            f"the declared images explain {declared:.2f} of the update, and {least:.2f} was expected: they are others, "
            "or more, or were trained on otherwise, or the update has a defense that was not declared",
        )

    def skip(self, attack: str, reason: str, seconds: float = 0.0, *, unsuited: bool = False) -> None:
        """Note an attack that was not begun, or not ended."""
        self.done.append(Attempt(attack, "skipped", None, None, seconds, reason, unsuited))

    def run(self, name: str, attack: AttackRecipe | ClosedForm) -> NDArray[np.uint8] | None:
        """Run one attack with what is left of the time; its images ``(N, H, W, C)``, or None where none came out."""
        began = time.monotonic()
        try:
            with time_limit(self.deadline):
                result = self._result(attack)
        except (InvalidUpdate, TimeIsOver, TooLarge) as error:  # an attack is not for such updates, or too slow
            self.skip(name, str(error), time.monotonic() - began, unsuited=isinstance(error, InvalidUpdate))
            return None
        except Exception as error:  # noqa: BLE001  # an attack that breaks off has shown nothing, whatever broke
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            self.done.append(Attempt(name, "failed", None, None, time.monotonic() - began, reason))
            return None
        seconds, explanation = time.monotonic() - began, result.explanation
        if explanation is None or result.status is Status.DIVERGED:
            self.done.append(Attempt(name, str(result.status), None, None, seconds, "no image came out"))
            return None
        share, gain = _finite(explanation.share), _finite(explanation.gain)
        status, reason = str(result.status), explanation.hint
        planned = 0 if isinstance(attack, ClosedForm) else attack.iterations * (1 + attack.retries)
        if result.iterations < planned and result.status is not Status.MATCHED:
            status = "out_of_time"
            reason = f"the time was over after {result.iterations} of {planned} iterations. {reason}".strip()
        self.done.append(Attempt(name, status, share, gain, seconds, reason))
        return result.images

    def _result(self, attack: AttackRecipe | ClosedForm) -> Reconstruction:
        options = (
            Options() if isinstance(attack, ClosedForm) else Options(self.device, seconds=self._for_search(attack))
        )
        return run_attack(attack, [self.observation], [self.seed], options)[0]

    def _for_search(self, recipe: AttackRecipe) -> float:
        """The seconds for a search, of which the check of its result is left out."""
        recipe.check(self.observation)
        self._refuse_too_long(0.0)
        if self.device != "cpu":  # a CPU's time says nothing of a GPU's
            tried_path(self.observation)
            return max((self.deadline - time.monotonic()) * 0.7, 1e-3)
        if self._cost is None:
            self._cost = search_cost(self.observation)
            self._refuse_too_long(self._cost.trial + self._cost.least)
        memory, free = self._cost.memory, free_memory()
        if free is not None and memory > free:
            raise TooLarge(f"an evaluation takes about {memory / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free")
        tried_path(self.observation)
        self._refuse_too_long(self._cost.least)
        left = self.deadline - time.monotonic()
        return left - max(CHECK * self._cost.evaluation, min(_CHECK_SHARE * left, _CHECK_MOST))

    def _refuse_too_long(self, least: float) -> None:
        left = self.deadline - time.monotonic()
        if least >= left:
            raise TooLarge(
                f"it takes at least about {least:.1f} s for this network and {self.observation.images} images, and "
                f"{max(left, 0.0):.1f} s are left"
            )


def _finite(share: float) -> float | None:
    """The share, or None where numbers were too large or too small to compute it."""
    return share if math.isfinite(share) else None
