"""Searches and closed forms by their names."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import Field

from semsim.exceptions import InvalidConfiguration
from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.catalogue import ATTACKS
from semsim_training.attacks.closed_form import closed_form, imprint
from semsim_training.attacks.presets import PRESETS
from semsim_training.attacks.priors import TotalVariation
from semsim_training.attacks.reconstruction import Reconstruction
from semsim_training.configuration import FrozenModel
from semsim_training.observations.observation import Observation


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """An attack that searches nothing."""

    name: str
    solve: Callable[[Observation], Reconstruction]


CLOSED_FORMS = {form.name: form for form in (ClosedForm("closed-form", closed_form), ClosedForm("imprint", imprint))}


class AttackChoice(FrozenModel):
    """A published attack, with changes; ``None`` changes nothing."""

    preset: str
    iterations: int | None = Field(default=None, ge=1)
    restarts: int | None = Field(default=None, ge=1)
    total_variation: float | None = Field(default=None, ge=0)
    """The weight of the prior of that name."""
    seconds: float | None = Field(default=None, gt=0, exclude_if=lambda value: value is None)
    """The time after which the search ends with the best so far, for all clients that are attacked together."""

    @property
    def label(self) -> str:
        """A short name for tables: ``inversed it1000 tv0.05``."""
        changes = (("it", self.iterations), ("r", self.restarts), ("tv", self.total_variation), ("s", self.seconds))
        return " ".join([self.preset, *(f"{name}{value:g}" for name, value in changes if value is not None)])

    def resolve(self) -> AttackRecipe | ClosedForm:
        """The attack itself.

        Raises:
            InvalidConfiguration: no attack has this name, or it does not have what is changed.
        """
        if self.preset in CLOSED_FORMS:
            if self.iterations or self.restarts or self.total_variation is not None:
                raise InvalidConfiguration(f"expected no options for {self.preset}, which searches nothing")
            return CLOSED_FORMS[self.preset]
        if self.preset not in PRESETS:
            raise InvalidConfiguration(f"expected an attack of {', '.join(ATTACKS)}, got {self.preset}")
        recipe = PRESETS[self.preset]
        priors = recipe.priors
        if self.total_variation is not None:
            if not any(isinstance(prior, TotalVariation) for prior in priors):
                raise InvalidConfiguration(f"expected an attack with total variation, got {self.preset}")
            weight = self.total_variation
            priors = tuple(replace(p, weight=weight) if isinstance(p, TotalVariation) else p for p in priors)
        return replace(
            recipe,
            iterations=self.iterations or recipe.iterations,
            restarts=self.restarts or recipe.restarts,
            priors=priors,
        )
