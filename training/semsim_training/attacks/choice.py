"""Searches and closed forms by their names."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from semsim.exceptions import InvalidConfiguration
from semsim.schema_mistakes import did_you_mean, mistakes
from semsim_training.attacks.attack_plug_ins import solved_by
from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.catalogue import ATTACKS
from semsim_training.attacks.closed_form import closed_form, imprint
from semsim_training.attacks.generative.chosen_generator import with_generator
from semsim_training.attacks.loki import loki
from semsim_training.attacks.presets import PRESETS
from semsim_training.attacks.priors import TotalVariation
from semsim_training.attacks.reconstruction import Reconstruction
from semsim_training.configuration import FrozenModel
from semsim_training.observations.observation import Observation
from semsim_training.plug_ins import PlugIn, PlugInKind, known_names, plug_in, plug_ins


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """An attack that searches nothing."""

    name: str
    solve: Callable[[Observation], Reconstruction]


CLOSED_FORMS = {
    form.name: form
    for form in (ClosedForm("closed-form", closed_form), ClosedForm("imprint", imprint), ClosedForm("loki", loki))
}


class AttackChoice(FrozenModel):
    """A published attack or a plug-in, with changes; ``None`` changes nothing.

    Raises:
        InvalidConfiguration: a value of another type or outside its range, or no such field.
    """

    preset: str
    """The attack's name, as ``semsim attack list`` gives it."""
    iterations: int | None = Field(default=None, ge=1)
    """The length of the search."""
    restarts: int | None = Field(default=None, ge=1)
    """The number of starts, of which the best wins."""
    total_variation: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """The weight of the prior of that name."""
    seconds: float | None = Field(default=None, gt=0, exclude_if=lambda value: value is None)
    """The time after which the search ends with the best so far, for all clients that are attacked together."""
    generator: Path | None = Field(default=None, exclude_if=lambda value: value is None)
    """The generator whose codes ``ggl`` searches, safetensors, with its description beside it; the path is that from
    the working directory and may name variables: ``$SEMSIM_DATA``."""

    if not TYPE_CHECKING:  # type checkers know the fields

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise InvalidConfiguration(f"attack:{mistakes(error, AttackChoice)}") from error

    @property
    def label(self) -> str:
        """A short name for tables: ``inversed it1000 tv0.05``."""
        changes = (("it", self.iterations), ("r", self.restarts), ("tv", self.total_variation), ("s", self.seconds))
        made_by = [] if self.generator is None else [self.generator.stem]
        return " ".join([self.preset, *made_by, *(f"{name}{value:g}" for name, value in changes if value is not None)])

    def resolve(self) -> AttackRecipe | ClosedForm:
        """The attack itself.

        Raises:
            InvalidConfiguration: no attack has this name, several have it, it is a plug-in that cannot be used, or it
                does not have what is changed.
        """
        attack = _attack(self.preset)
        if isinstance(attack, ClosedForm):
            if self.iterations or self.restarts or self.total_variation is not None or self.generator is not None:
                raise InvalidConfiguration(f"expected no options for {self.preset}, which searches nothing")
            return attack
        attack = with_generator(attack, self.generator)
        priors = attack.priors
        if self.total_variation is not None:
            if not any(isinstance(prior, TotalVariation) for prior in priors):
                raise InvalidConfiguration(f"expected an attack with total variation, got {self.preset}")
            weight = self.total_variation
            priors = tuple(replace(p, weight=weight) if isinstance(p, TotalVariation) else p for p in priors)
        return replace(
            attack,
            iterations=self.iterations or attack.iterations,
            restarts=self.restarts or attack.restarts,
            priors=priors,
        )


def _attack(name: str) -> AttackRecipe | ClosedForm:
    plugged = plug_in(PlugInKind.ATTACK, name, ATTACKS)
    if plugged is not None:
        return _plugged(plugged)
    if name not in ATTACKS:
        near = did_you_mean(name, [*ATTACKS, *plug_ins(PlugInKind.ATTACK)])
        raise InvalidConfiguration(f"expected an attack of {known_names(PlugInKind.ATTACK, ATTACKS)}, got {name}{near}")
    return CLOSED_FORMS[name] if name in CLOSED_FORMS else PRESETS[name]


def _plugged(plugged: PlugIn) -> AttackRecipe | ClosedForm:
    """The recipe that a plug-in registers, by the plug-in's name, or its function as a closed form."""
    attack = plugged.load()
    if isinstance(attack, AttackRecipe):
        return replace(attack, name=plugged.name)
    if not callable(attack) or isinstance(attack, type):
        raise plugged.refused("an AttackRecipe or a function of an Observation", type(attack).__name__)
    return ClosedForm(plugged.name, partial(solved_by, plugged, attack))
