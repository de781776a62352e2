"""The options of ``semsim attack run`` that say how the client trained."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from semsim.exceptions import InvalidOption
from semsim_training.subcommands.option_checks import numbers, one_of, whole_numbers

if TYPE_CHECKING:
    from semsim_training.gradients.update import LocalTraining, OptimiserName


@dataclass(frozen=True, slots=True)
class DeclaredTraining:
    """Local training as options say it; ``None`` where an option is not given."""

    learning_rate: float | None
    local_batch: int | None
    epochs: int | None
    optimiser: str | None
    momentum: float | None
    nesterov: bool | None
    weight_decay: float | None
    betas: str | None
    epsilon: float | None
    clip_norm: float | None
    schedule: str | None
    order: str | None

    def check(self) -> None:
        """Refuse, before torch is imported, what cannot be meant.

        Raises:
            InvalidOption: options of local training without its learning rate, or a text that is not of numbers.
        """
        if self.optimiser is not None:
            one_of("--optimiser", self.optimiser, ("sgd", "adam", "adamw"))
        given = [name for name, value in self._options().items() if value is not None]
        if self.local_batch is not None:
            given.append("local_batch")
        if self.learning_rate is None and given:
            raise InvalidOption(f"expected --learning-rate with --{given[0].replace('_', '-')}, got none")

    def local_training(self, images: int) -> "LocalTraining | None":
        """The local training on ``images`` images; ``None`` where no learning rate is given.

        Raises:
            InvalidUpdate: a number outside its range, or an option of another optimiser.
        """
        from semsim_training.gradients.update import LocalTraining

        if self.learning_rate is None:
            return None
        options = {name: value for name, value in self._options().items() if value is not None}
        return LocalTraining(self.learning_rate, self.local_batch or images, **options)

    def _options(self) -> dict[str, Any]:
        """The fields of local training beside the learning rate and the batch size."""
        betas = None if self.betas is None else numbers("--betas", self.betas, "0.9,0.999")
        if betas is not None and len(betas) != 2:
            raise InvalidOption(f"expected --betas as two numbers, such as 0.9,0.999, got {self.betas}")
        order = None
        if self.order is not None:
            order = tuple(whole_numbers("--order", part, "0,1,2;2,0,1") for part in self.order.split(";"))
        return {
            "epochs": self.epochs,
            "optimiser": cast("OptimiserName | None", self.optimiser),
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "weight_decay": self.weight_decay,
            "betas": betas,
            "epsilon": self.epsilon,
            "clip_norm": self.clip_norm,
            "schedule": None if self.schedule is None else numbers("--schedule", self.schedule, "1,0.5"),
            "order": order,
        }
