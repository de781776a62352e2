"""From a grid to shards, fixed once and kept beside the set: a resumed run makes the same ones."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from semsim.exceptions import InvalidConfiguration, InvalidDataset
from semsim_training.attacks.search import Options
from semsim_training.images.labelled import LabelledImages
from semsim_training.observations.observation import Victim
from semsim_training.reconstructions.grid import Grid, Setting, Splits
from semsim_training.reconstructions.task import ShardTask
from semsim_training.reconstructions.tuning import tuned_batch_size
from semsim_training.seeds import stable_hash


class Plan(BaseModel):
    """Which batch size each setting is run with; part of what the bytes of a set hang on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grid_sha256: str
    device: str
    batch_sizes: Mapping[str, int]
    """Clients in one graph, by setting."""

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The plan of a set that was begun, or nothing.

        Raises:
            InvalidDataset: the file is damaged.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise InvalidDataset(f"{path} does not fit the schema: {error}") from error


@dataclass(frozen=True, slots=True)
class Shard:
    """A task and its place in the set."""

    name: str
    """``<setting's number>-<first client>``, also the file's."""
    task: ShardTask


@dataclass(slots=True)
class Workload:
    """Images and victims of a grid, loaded once, and the shards they make."""

    grid: Grid
    base: Path
    """Checkpoints' paths are relative to it."""
    device: str
    _images: dict[str, LabelledImages] = field(default_factory=dict)
    _victims: dict[str, Victim] = field(default_factory=dict)

    def plan(self) -> Plan:
        """Choose batch sizes, by measurement where the grid gives none."""
        sizes: dict[str, int] = {}
        measured: dict[tuple[object, ...], int] = {}
        for setting in self.grid.settings:
            if self.grid.batch_size is not None:
                sizes[setting.key] = self.grid.batch_size
                continue
            alike = (setting.victim, setting.attack.preset, setting.batch, setting.local_training, setting.batchnorm)
            if alike not in measured:
                measured[alike] = tuned_batch_size(self._task(setting, 0, 1), self._chosen(setting))
            sizes[setting.key] = measured[alike]
        return Plan(grid_sha256=digest(self.grid), device=self.device, batch_sizes=sizes)

    def shards(self, plan: Plan) -> Iterator[Shard]:
        """All shards, settings in order."""
        for number, setting in enumerate(self.grid.settings):
            clients, size = len(self._chosen(setting)) // setting.batch, plan.batch_sizes[setting.key]
            for first in range(0, clients, size):
                yield Shard(f"{number:03}-{first:05}", self._task(setting, first, min(size, clients - first)))

    def check(self) -> None:
        """Load everything and try each setting's attack on one observation's description, before any work.

        Raises:
            SemSimError: what is missing, unreadable or does not go together.
        """
        for setting in self.grid.settings:
            victim, images = self._victim(setting.victim), self._chosen(setting)
            if images.images.shape[1] != victim.network.size:
                raise InvalidConfiguration(
                    f"expected images of {victim.network.size} pixels for {setting.victim}, "
                    f"got {images.images.shape[1]} in {setting.key}"
                )
            if int(images.labels.max()) >= victim.network.classes:
                raise InvalidConfiguration(
                    f"expected labels below {victim.network.classes} for {setting.victim}, "
                    f"got {int(images.labels.max())} in {setting.key}"
                )
            self._task(setting, 0, 1).check()

    def _task(self, setting: Setting, first: int, clients: int) -> ShardTask:
        images = self._chosen(setting).take(range(first * setting.batch, (first + clients) * setting.batch))
        return ShardTask(
            key=setting.key,
            victim=self._victim(setting.victim),
            victim_label=setting.victim,
            images=images,
            splits=tuple(split_of(f"{images.name}/{name}", self.grid.splits) for name in images.identifiers),
            batch=setting.batch,
            attack=setting.attack,
            protocol=setting.protocol,
            seed=self.grid.seed,
            options=Options(device=self.device, compile=self.grid.compile),
        )

    def _chosen(self, setting: Setting) -> LabelledImages:
        choice = self.grid.images[setting.images]
        if setting.images not in self._images:
            loaded = choice.load()
            chosen = loaded.spread(choice.count, choice.seed, choice.classes)
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
    """The hash of a grid's contents."""
    return hashlib.sha256(grid.model_dump_json().encode()).hexdigest()


def split_of(name: str, splits: Splits) -> str:
    """The split of an original, by its name alone."""
    place = stable_hash(f"split/{name}") % 10_000 / 10_000
    if place < splits.train:
        return "train"
    return "validation" if place < splits.train + splits.validation else "test"
