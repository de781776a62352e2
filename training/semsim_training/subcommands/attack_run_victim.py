"""The options of ``semsim attack run`` that say which network was sent out, and which images it takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from semsim.exceptions import InvalidOption
from semsim_training.subcommands.option_checks import existing, numbers, whole_numbers

if TYPE_CHECKING:
    from semsim_training.client_images.network_inputs import Inputs
    from semsim_training.observations.observation import Victim

_NEEDED = ("size", "classes", "mean", "std")


@dataclass(frozen=True, slots=True)
class DeclaredVictim:
    """The victim as options say it: by a description in a file, or by a module and the images that it takes."""

    model: Path
    description: Path | None
    module: str | None
    size: str | None
    channels: int | None
    classes: int | None
    mean: str | None
    std: str | None
    white: int | None

    def check(self) -> None:
        """Refuse, before torch is imported, options that contradict each other or images that cannot be.

        Raises:
            InvalidOption: options that do not go together, or a text that is not of numbers.
            InvalidConfiguration: images that no network takes.
        """
        given = [name for name in (*_NEEDED, "channels", "white") if getattr(self, name) is not None]
        if self.module is None:
            if given:
                raise InvalidOption(f"expected --module with --{given[0]}, got none")
            if self.description is not None:
                existing("a description of the network", self.description)
            return
        if self.description is not None:
            raise InvalidOption("expected --module or --description, got both")
        missing = [name for name in _NEEDED if name not in given]
        if missing:
            raise InvalidOption(f"expected --{' --'.join(missing)} with --module, got none")
        self.inputs()

    def inputs(self) -> "Inputs":
        """The images that the module takes.

        Raises:
            InvalidOption: a text that is not of numbers.
            InvalidConfiguration: images that no network takes.
        """
        from semsim_training.client_images.network_inputs import Inputs

        sides = whole_numbers("--size", cast(str, self.size).lower(), "32 or 28x36", "x")
        statistics = {name: numbers(f"--{name}", getattr(self, name), "125.3,123,113.9") for name in ("mean", "std")}
        channels = 3 if self.channels is None else self.channels
        if channels not in (1, 3):
            raise InvalidOption(f"expected --channels 1 or 3, of which pictures can be made, got {channels}")
        return Inputs.model_validate(
            {
                "size": sides if len(sides) > 1 else sides[0],
                "channels": channels,
                "classes": self.classes,
                "white": 255 if self.white is None else self.white,
                **{name: value if len(value) > 1 else value[0] for name, value in statistics.items()},
            }
        )

    def built(self) -> "Victim":
        """The network with the weights that were sent out.

        Raises:
            InvalidVictim: the network cannot be made, or the weights are not its own.
        """
        from semsim_training.attacks.attack_arguments import refuse_other_types
        from semsim_training.observations.observation import Victim
        from semsim_training.observations.update_files import victim_from_files, with_weights
        from semsim_training.victims.modules import module_from
        from semsim_training.victims.state_dicts import plain_module

        if self.module is None:
            return victim_from_files(self.model, self.description)
        network, inputs = module_from(self.module, classes=self.classes), self.inputs()
        refuse_other_types(network, inputs)
        return Victim(with_weights(plain_module(network), self.model), inputs, self.module)
