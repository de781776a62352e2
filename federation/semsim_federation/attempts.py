"""Attacks one after another, until the time is over."""

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from semsim.exceptions import InvalidUpdate
from semsim_federation.report import Attempt
from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.choice import ClosedForm
from semsim_training.attacks.dispatch import run_attack
from semsim_training.attacks.reconstruction import Status
from semsim_training.attacks.search import Options
from semsim_training.observations.observation import Observation


@dataclass(slots=True, eq=False)
class Attempts:
    """The attacks on one observation, and what came of each."""

    observation: Observation
    deadline: float
    """The time by ``time.monotonic`` at which the attacks end."""
    device: str
    seed: int
    done: list[Attempt] = field(default_factory=list)

    def skip(self, attack: str, reason: str) -> None:
        """Note an attack that is not begun."""
        self.done.append(Attempt(attack, "skipped", None, None, 0.0, reason))

    def run(self, name: str, attack: AttackRecipe | ClosedForm) -> NDArray[np.uint8] | None:
        """Run one attack with what is left of the time; its images ``(N, H, W, C)``, or None where none came out."""
        began = time.monotonic()
        left = self.deadline - began
        if left <= 0 and not isinstance(attack, ClosedForm):
            self.skip(name, "the time was over")
            return None
        try:
            options = Options(device=self.device, seconds=max(left, 1e-3))
            result = run_attack(attack, [self.observation], [self.seed], options)[0]
        except InvalidUpdate as error:  # the attack says that it is not for such updates
            self.skip(name, str(error))
            return None
        except Exception as error:  # noqa: BLE001  # an attack that breaks off has shown nothing, whatever broke
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            self.done.append(Attempt(name, "failed", None, None, time.monotonic() - began, reason))
            return None
        seconds, explanation = time.monotonic() - began, result.explanation
        if explanation is None or result.status is Status.DIVERGED:
            self.done.append(Attempt(name, str(result.status), None, None, seconds, "no image came out"))
            return None
        self.done.append(
            Attempt(name, str(result.status), explanation.share, explanation.gain, seconds, explanation.hint)
        )
        return result.images
