"""One shard of a set: clients of one setting, attacked together. Carries all it needs to any process or machine."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import linear_sum_assignment

from semsim.pixel_metrics import mse, psnr
from semsim_training.attacks.attack import AttackChoice, ClosedForm, attack
from semsim_training.attacks.search import Options, Progress, Reconstruction
from semsim_training.images.labelled import LabelledImages
from semsim_training.observations.client import Protocol, observe
from semsim_training.observations.observation import Observation, Victim
from semsim_training.reconstructions.schema import SCHEMA
from semsim_training.reconstructions.search_state_file import forget, load_state, save_state
from semsim_training.seeds import stable_hash


@dataclass(frozen=True, slots=True, eq=False)
class ShardTask:
    """Attack ``clients`` clients of ``images`` each and write down what comes out."""

    key: str
    """Of the setting."""
    victim: Victim
    victim_label: str
    images: LabelledImages
    """``(clients * batch,)``: a client's images follow each other."""
    splits: tuple[str, ...]
    batch: int
    attack: AttackChoice
    protocol: Protocol
    seed: int
    """Of the grid; a client's own is made of it, the setting and its images' names."""
    options: Options

    def run(self, partial: Path | None = None, progress: Progress = lambda *_: None) -> bytes:
        """The shard as Parquet bytes; goes on from ``partial`` where that exists, and keeps it current."""
        if self.options.device == "cpu":
            torch.set_num_threads(1)  # one worker a core is faster, and the bytes do not hang on the core count
        seeds = [self._client_seed(client) for client in range(self.clients)]
        found = attack(
            self.attack.resolve(),
            [self._observation(client) for client in range(self.clients)],
            seeds,
            self.options,
            state=load_state(partial) if partial is not None else None,
            save=None if partial is None else lambda state: save_state(state, partial),
            progress=progress,
        )
        rows = [row for client, item in enumerate(found) for row in self._rows(client, seeds[client], item)]
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), sink, compression="none")
        if partial is not None:
            forget(partial)
        return sink.getvalue()

    @property
    def clients(self) -> int:
        """How many clients."""
        return len(self.images) // self.batch

    def check(self) -> None:
        """Refuse, before any work, what the attack cannot work on.

        Raises:
            InvalidUpdate: what the attack needs, and what came.
        """
        choice = self.attack.resolve()
        if isinstance(choice, ClosedForm):
            choice.solve(self._observation(0))
        else:
            choice.check(self._observation(0))

    def _observation(self, client: int) -> Observation:
        own = self._of(client)
        return observe(
            self.victim, own.images, own.labels, self.protocol, stable_hash(f"{self._client_seed(client)}/client")
        )

    def _of(self, client: int) -> LabelledImages:
        return self.images.take(range(client * self.batch, (client + 1) * self.batch))

    def _client_seed(self, client: int) -> int:
        return stable_hash(f"{self.seed}/{self.key}/{'/'.join(self._of(client).identifiers)}")

    def _rows(self, client: int, seed: int, item: Reconstruction) -> list[dict[str, object]]:
        own = self._of(client)
        recipe = self.attack.resolve()
        training = self.protocol.local_training
        rows = []
        for index, found in enumerate(_partners(own.images, item.images)):
            error = mse(own.images[index : index + 1], item.images[found : found + 1])
            label = int(own.labels[index])
            rows.append(
                {
                    "setting": self.key,
                    "dataset": own.name,
                    "image": own.identifiers[index],
                    "split": self.splits[client * self.batch + index],
                    "label": label,
                    "class": own.classes[label],
                    "label_used": item.labels[found],
                    "victim": self.victim_label,
                    "trained": self.victim.trained,
                    "mode": self.protocol.mode,
                    "defense": self.protocol.defense,
                    "attack": self.attack.label,
                    "iterations": 0 if isinstance(recipe, ClosedForm) else recipe.iterations,
                    "batch": self.batch,
                    "batchnorm": self.protocol.batchnorm,
                    "local_steps": 0 if training is None else training.steps(self.batch),
                    "client_seed": seed,
                    "status": item.status.value,
                    "objective": item.objective,
                    "psnr": float(psnr(error)[0]),
                    "original": _png(own.images[index]),
                    "reconstruction": _png(item.images[found]),
                }
            )
        return rows


def _partners(originals: NDArray[np.uint8], found: NDArray[np.uint8]) -> list[int]:
    """Which reconstruction belongs to which original of a batch: the assignment of least mean squared error."""
    flat = [images.reshape(len(images), -1).astype(np.float64) for images in (originals, found)]
    costs = ((flat[0][:, None] - flat[1][None]) ** 2).mean(axis=2)
    return [int(column) for column in linear_sum_assignment(costs)[1]]


def _png(image: NDArray[np.uint8]) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(image).save(sink, "PNG", optimize=True)
    return sink.getvalue()
