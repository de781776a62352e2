"""Divides a grid into shards. The plan is made once and kept beside the set, so that a resumed run makes the same."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from semsim.exceptions import InvalidConfiguration, InvalidDataset
from semsim_training.attacks.search import Options
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.configuration import Description, expanded
from semsim_training.observations.observation import Victim
from semsim_training.reconstructions.grid import Grid, Setting, Splits
from semsim_training.reconstructions.grid_inputs import GridInputs
from semsim_training.reconstructions.shard import Shard
from semsim_training.reconstructions.tuning import tuned_batch_size
from semsim_training.seeds import stable_hash


class ShardPlan(Description):
    """The batch size of each setting, on which the bytes of a set hang; ``plan.json`` holds it."""

    CONTENT: ClassVar[str] = "a plan"
    REFUSAL: ClassVar = InvalidDataset
    FILE: ClassVar[str] = "plan.json"

    grid_sha256: str
    device: str
    batch_sizes: Mapping[str, int]
    """The number of clients in one graph, by setting."""
    inputs: GridInputs | None = None
    """The victims, images and version that the set was begun with; ``None`` in plans of before, which say none."""

    @classmethod
    def begun(cls, directory: Path) -> Self | None:
        """The plan of a set that was begun, or nothing.

        Raises:
            InvalidDataset: the file is damaged.
        """
        return cls.read(directory) if (directory / cls.FILE).exists() else None

    def write(self, directory: Path) -> None:
        """Write the plan beside its set."""
        (directory / self.FILE).write_text(self.model_dump_json(indent=2) + "\n")


@dataclass(slots=True)
class Workload:
    """Images and victims of a grid, loaded once, and the shards they make."""

    grid: Grid
    base: Path
    """Checkpoints' paths are relative to it."""
    device: str
    _images: dict[str, LabelledImages] = field(default_factory=dict)
    _victims: dict[str, Victim] = field(default_factory=dict)

    def plan(self) -> ShardPlan:
        """Choose batch sizes, by measurement where the grid gives none."""
        sizes: dict[str, int] = {}
        measured: dict[tuple[object, ...], int] = {}
        for setting in self.grid.settings:
            if self.grid.batch_size is not None:
                sizes[setting.key] = self.grid.batch_size
                continue
            alike = (setting.victim, setting.attack.preset, setting.batch, setting.local_training, setting.batchnorm)
            if alike not in measured:
                measured[alike] = tuned_batch_size(self._shard(setting, 0, 1), self._chosen(setting))
            sizes[setting.key] = measured[alike]
        return ShardPlan(grid_sha256=digest(self.grid), device=self.device, batch_sizes=sizes, inputs=self.inputs())

    def inputs(self) -> GridInputs:
        """The victims and images that the settings name, as they are now."""
        victims = {setting.victim: self._victim(setting.victim) for setting in self.grid.settings}
        for setting in self.grid.settings:
            self._chosen(setting)
        return GridInputs.of(
            {name: (victim, self.grid.victims[name].described(self.base)) for name, victim in victims.items()},
            self._images,
        )

    def shards(self, plan: ShardPlan) -> Iterator[Shard]:
        """All shards, settings in order."""
        for setting in self.grid.settings:
            clients, size = len(self._chosen(setting)) // setting.batch, plan.batch_sizes[setting.key]
            for first in range(0, clients, size):
                yield self._shard(setting, first, min(size, clients - first))

    def check(self) -> None:
        """Load everything and try each setting's attack on one observation's description, before any work.

        Raises:
            SemSimError: what is missing, unreadable or does not go together.
        """
        for setting in self.grid.settings:
            victim, images = self._victim(setting.victim), self._chosen(setting)
            if victim.inputs.channels != 3 or len(set(victim.inputs.size)) > 1:
                raise InvalidConfiguration(
                    f"expected a victim of square RGB images, which are what the sources of a grid give, got "
                    f"{setting.victim} of {victim.inputs.channels} channels and {victim.inputs.size} pixels: attack it "
                    "from Python, or with semsim attack run"
                )
            if images.images.shape[1:3] != victim.inputs.size:
                raise InvalidConfiguration(
                    f"expected images of {victim.inputs.size[0]} pixels for {setting.victim}, "
                    f"got {images.images.shape[1]} in {setting.key}"
                )
            if int(images.labels.max()) >= victim.inputs.classes:
                raise InvalidConfiguration(
                    f"expected labels below {victim.inputs.classes} for {setting.victim}, "
                    f"got {int(images.labels.max())} in {setting.key}"
                )
            self._shard(setting, 0, 1).check()

    def _shard(self, setting: Setting, first: int, clients: int) -> Shard:
        images = self._chosen(setting).take(range(first * setting.batch, (first + clients) * setting.batch))
        return Shard(
            name=f"{self.grid.settings.index(setting):03}-{first:05}",
            setting=setting.key,
            victim=self._victim(setting.victim),
            victim_name=setting.victim,
            images=images,
            splits=tuple(split_of(f"{images.name}/{name}", self.grid.splits) for name in images.identifiers),
            batch=setting.batch,
            attack=setting.attack,
            protocol=setting.protocol,
            seed=self.grid.seed,
            options=Options(device=self.device, compile=self.grid.compile, seconds=setting.attack.seconds),
        )

    def _chosen(self, setting: Setting) -> LabelledImages:
        choice = self.grid.images[setting.images]
        if setting.images not in self._images:
            chosen = choice.load()
            if len(chosen) < choice.count:
                raise InvalidConfiguration(f"expected {choice.count} images in {setting.images}, got {len(chosen)}")
            self._images[setting.images] = chosen
        images = self._images[setting.images]
        count = min(setting.count or len(images), len(images)) // setting.batch * setting.batch
        if not count:
            raise InvalidConfiguration(f"expected at least {setting.batch} images for one client of {setting.key}")
        return images.take(range(count))

    def _victim(self, name: str) -> Victim:
        if name not in self._victims:
            self._victims[name] = self.grid.victims[name].load(self.base)
        return self._victims[name]


def digest(grid: Grid) -> str:
    """The hash of a grid's contents, and of the generators that its attacks search with."""
    running = hashlib.sha256(grid.model_dump_json().encode())
    generators = {setting.attack.generator for setting in grid.settings} - {None}
    for path in sorted(expanded(path) for path in generators if path is not None):
        running.update(path.read_bytes())
    return running.hexdigest()


def split_of(name: str, splits: Splits) -> str:
    """The split of an original, by its name alone."""
    place = stable_hash(f"split/{name}") % 10_000 / 10_000
    if place < splits.train:
        return "train"
    return "validation" if place < splits.train + splits.validation else "test"
