"""The options of a leakage guard in a Flower run: the app's, changed by the run's and the node's configuration."""

from collections.abc import Mapping
from typing import Any

from flwr.app import Context
from pydantic import Field, ValidationError, field_validator

from semsim.exceptions import InvalidConfiguration
from semsim.schema_mistakes import mistakes
from semsim_federation.guard import Action
from semsim_training.configuration import FrozenModel
from semsim_training.defenses.defense import WrittenDefense

PREFIX = "leakage."
"""The prefix of the options in a configuration of Flower."""


class GuardOptions(FrozenModel):
    """The options of :class:`~semsim_federation.flower_guard.LeakageGuard`, as its arguments say."""

    action: Action
    every: int = Field(ge=1)
    defenses: tuple[WrittenDefense, ...]
    """A configuration of Flower holds no lists, so that it writes ``prune:0.9,gaussian:0.01``."""
    limit: float | None = Field(ge=0, lt=1)
    tell: bool

    @field_validator("defenses", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "GuardOptions":
        """Read the options from their names and values.

        Raises:
            InvalidConfiguration: an unknown option, or a value of another type or outside its range.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InvalidConfiguration(f"leakage guard:{mistakes(error, cls)}") from error

    def of(self, ctx: Context) -> "GuardOptions":
        """Return the options of a run. The node's configuration goes before the run's, and that before these.

        Raises:
            InvalidConfiguration: an unknown option, or a value of another type or outside its range.
        """
        return self.read(self.model_dump() | _options(ctx.run_config) | _options(ctx.node_config))


def _options(configuration: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(PREFIX): value for name, value in configuration.items() if name.startswith(PREFIX)}
