"""One shard of a set: clients of one setting, attacked together. It carries all it needs to any process or machine."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from semsim.pixel_metrics import mse, psnr
from semsim.progress import Progress, silent
from semsim_training.attacks.choice import AttackChoice, ClosedForm
from semsim_training.attacks.dispatch import run_attack
from semsim_training.attacks.reconstruction import Reconstruction
from semsim_training.attacks.search import Options
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.client_images.png import encode_png
from semsim_training.observations.aggregate import clients_behind, observe_round
from semsim_training.observations.client_side import Protocol
from semsim_training.observations.observation import Observation, Victim
from semsim_training.reconstructions.near_copies import near_copy, pixels_sha256, sealed
from semsim_training.reconstructions.partners import partners
from semsim_training.reconstructions.schema import StoredReconstruction, table_of
from semsim_training.reconstructions.search_state_file import forget, load_search_state, save_search_state
from semsim_training.seeds import stable_hash


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """Clients to attack, and how to write down what comes out."""

    name: str
    """``<number of the setting>-<first client>``, also the file's name."""
    setting: str
    """Name of the setting."""
    victim: Victim
    victim_name: str
    """Name of the victim in the grid."""
    images: LabelledImages
    """``(clients * batch,)``: a client's images follow each other."""
    splits: tuple[str, ...]
    """``(clients * batch,)``."""
    batch: int
    """Images that a client holds."""
    attack: AttackChoice
    protocol: Protocol
    seed: int
    """Seed of the grid. A client's own seed is made of it, the setting and the names of the client's images."""
    options: Options

    def run(self, partial: Path | None = None, progress: Progress = silent) -> bytes:
        """The shard as Parquet bytes; goes on from ``partial`` where that exists, and keeps it current."""
        if self.options.device == "cpu":
            torch.set_num_threads(1)  # one worker a core is faster, and the bytes do not hang on the core count
        seeds = [self._client_seed(client) for client in range(self.clients)]
        reconstructions = run_attack(
            self.attack.resolve(),
            [self._observation(client) for client in range(self.clients)],
            seeds,
            self.options,
            state=load_search_state(partial) if partial is not None else None,
            save=None if partial is None else lambda state: save_search_state(state, partial),
            progress=progress,
        )
        rows = [row for client, made in enumerate(reconstructions) for row in self._rows(client, seeds[client], made)]
        sink = io.BytesIO()
        pq.write_table(table_of(rows), sink, compression="none")  # pictures are compressed already
        if partial is not None:
            forget(partial)
        return sink.getvalue()

    @property
    def clients(self) -> int:
        """The number of clients that are attacked."""
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
        held = self._held(client)
        return observe_round(self.victim, held.images, held.labels, self.protocol, self._observation_seed(client))

    def _observation_seed(self, client: int) -> int:
        return stable_hash(f"{self._client_seed(client)}/client")

    def _held(self, client: int) -> LabelledImages:
        """The images that a client holds."""
        return self.images.take(range(client * self.batch, (client + 1) * self.batch))

    def _client_seed(self, client: int) -> int:
        return stable_hash(f"{self.seed}/{self.setting}/{'/'.join(self._held(client).identifiers)}")

    def _rows(self, client: int, seed: int, made: Reconstruction) -> list[StoredReconstruction]:
        held = self._held(client)
        recipe, training = self.attack.resolve(), self.protocol.local_training
        hashes = [pixels_sha256(original) for original in held.images]
        shared = self.protocol.mode.share(held.images, np.random.default_rng(self._observation_seed(client)))
        rows = []
        for index, partner in enumerate(partners(held.images, made.images)):
            label, image, reconstruction = int(held.labels[index]), held.identifiers[index], made.images[partner]
            near = near_copy(reconstruction, held.images, shared)
            picture = (
                encode_png(reconstruction)
                if near is None
                else sealed(reconstruction, held.images[near], self.setting, image)
            )
            rows.append(
                StoredReconstruction(
                    setting=self.setting,
                    dataset=held.name,
                    image=image,
                    original_sha256=hashes[index],
                    near_copy_of=None if near is None else hashes[near],
                    split=self.splits[client * self.batch + index],
                    label=label,
                    class_name=held.classes[label],
                    label_used=made.labels[partner],
                    victim=self.victim_name,
                    trained=self.victim.trained,
                    mode=self.protocol.mode.text,
                    defense=self.protocol.defense.text,
                    attack=self.attack.label,
                    preset=self.attack.preset,
                    iterations=0 if isinstance(recipe, ClosedForm) else recipe.iterations,
                    batch=self.batch,
                    batchnorm=self.protocol.batchnorm,
                    local_steps=0 if training is None else training.steps(self.batch // clients_behind(self.victim)),
                    client_seed=seed,
                    status=made.status.value,
                    objective=made.objective,
                    explained=None if made.explanation is None else made.explanation.share,
                    explained_by_random=None if made.explanation is None else made.explanation.worthless,
                    psnr=float(psnr(mse(held.images[index][None], reconstruction[None]))[0]),
                    picture=picture,
                )
            )
        return rows
