"""The work of ``semsim audit run``: all clients of all cells, and all trainings, until time is over."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn

import semsim
from semsim.controls import Controls
from semsim.exceptions import InvalidConfiguration, InvalidUpdate, SemSimError
from semsim.manifest import Manifest
from semsim.progress import Progress, silent
from semsim.scorer import Scorer
from semsim_federation.audit import Audit
from semsim_federation.audit_run.audit_cells import Axis, Cell, along, declared, in_order
from semsim_federation.audit_run.audit_config import AuditConfiguration
from semsim_federation.audit_run.audit_journal import AuditJournal, BrokenAudit, ClientAudit, TrainedModel, sha256_of
from semsim_federation.audit_run.client_data import DealtImages, deal
from semsim_federation.audit_run.network_code import code_hash, plug_ins_of
from semsim_federation.audit_run.simulated_clients import client_update, course, local_training
from semsim_federation.leakage_report import LeakageVerdict
from semsim_training.defenses.defense import Defense
from semsim_training.observations.observation import Victim
from semsim_training.observations.update_kind import UpdateKind
from semsim_training.seeds import stable_hash

_Task = Callable[[], None]
"""An audit or a training, with its note in the journal."""


@dataclass(slots=True, eq=False)
class AuditExperiment:
    """A run: the network, the images, and the journal of what is done.

    Raises:
        SemSimError: the network, the images or the metric cannot be had, or do not go together.
    """

    configuration: AuditConfiguration
    base: Path
    """The folder of the configuration, which paths of networks are relative to."""
    path: Path
    """The journal's file."""
    scorer: Scorer
    victim: Victim = field(init=False)
    dealt: DealtImages = field(init=False)
    journal: AuditJournal = field(init=False)
    header: dict[str, str] = field(init=False)
    """The hashes and versions that all of the journal's lines share."""
    _controls: Controls = field(init=False)
    _audits: dict[int, Audit] = field(default_factory=dict)
    _networks: dict[int, nn.Module] = field(default_factory=dict)
    _tried: set[tuple[int, int]] = field(default_factory=set)
    """The batches and epochs of which an audit was made in this process."""

    def __post_init__(self) -> None:
        self.victim = self.configuration.model.load(self.base)
        self.dealt = deal(self.configuration, self.victim.inputs)
        self._controls = Controls.of(self.scorer, self.dealt.controls)
        plugged = plug_ins_of(self.configuration, self.base)
        self.header = {
            "configuration": sha256_of(self.configuration.content.encode()),
            "weights": _weights_hash(self.victim.model),
            "code": code_hash(self.victim.model, self.configuration.model.module, plugged, self.base),
            "inputs": sha256_of(self.victim.inputs.model_dump_json().encode()),
            "plug-ins": ", ".join(f"{one.kind} {one.name} of {one.origin}" for one in plugged) or "-",
            "images": self.dealt.sha256,
            "metric": self.scorer.manifest.graph.sha256,
            "calibration": _calibration_hash(self.scorer.manifest),
            "semsim": semsim.__version__,
            "torch": version("torch"),
            "torchvision": version("torchvision"),
            "numpy": version("numpy"),
        }
        for epochs in self.configuration.axes.epochs:
            self._audits[epochs] = self._audit(epochs)
        self.journal = AuditJournal(self.path, self.header)

    def run(self, progress: Progress = silent) -> None:
        """Do what the journal does not hold yet, the most important first, until the configuration's time is over."""
        minutes = self.configuration.minutes
        deadline = None if minutes is None else time.monotonic() + minutes * 60
        tasks = list(self._tasks())
        for number, work in enumerate(tasks):
            if deadline is not None and time.monotonic() >= deadline:
                return
            progress("audits and trainings", number, len(tasks))
            work()
            progress("audits and trainings", number + 1, len(tasks))

    def _tasks(self) -> Iterator[_Task]:
        """The work in the order of its importance."""
        axes, federation = self.configuration.axes, self.configuration.federation
        first = tuple(dict.fromkeys((*declared(axes), *along(axes, Axis.DEFENSE))))
        yield from self._clients(first)
        for seed in range(0 if federation is None else federation.seeds):
            for defense in axes.defenses:
                if (str(defense), seed) not in self.journal.trained:
                    yield partial(self._train, defense, seed)
        yield from self._clients(tuple(cell for cell in in_order(axes) if cell not in first))

    def _clients(self, cells: tuple[Cell, ...]) -> Iterator[_Task]:
        for cell in cells:
            for client in range(self.configuration.clients):
                if (cell.key, client) not in self.journal.audits:
                    yield partial(self._client, cell, client)

    def _client(self, cell: Cell, client: int) -> None:
        """Audit one client in one cell, and note what came of it."""
        try:
            victim = replace(self.victim, model=self._network(cell.round))
            held = self.dealt.clients[client].take(slice(cell.batch))
            seed = stable_hash(f"{self.configuration.seed}/{cell.key}/{client}")
            update = client_update(self.configuration, victim, held, cell.epochs, cell.defense, seed)
            audit = partial(
                self._audits[cell.epochs].update,
                victim.model.state_dict(),
                update,
                held.images,
                held.labels.tolist(),
                kind=UpdateKind.GRADIENT if self.configuration.training is None else UpdateKind.DELTA,
                defense=str(cell.defense),
                round=cell.round,
            )
            report = audit()
            if report.verdict is LeakageVerdict.COULD_NOT_TELL and (cell.batch, cell.epochs) not in self._tried:
                report = audit()  # the first audit of so many images and steps spends its time on trials of the network
            self._tried.add((cell.batch, cell.epochs))
            self.journal.add(ClientAudit.of(cell.key, client, report))
        except Exception as error:  # noqa: BLE001  # an audit that breaks off is told in the page, whatever broke
            self.journal.add(BrokenAudit(cell=cell.key, client=client, reason=_line(error)))

    def _train(self, defense: Defense, seed: int) -> None:
        """Train with one defense and one seed, and note the accuracy of each round."""
        try:
            trained = course(self.configuration, self.victim, self.dealt, defense, seed)
        except InvalidUpdate as error:
            line = TrainedModel(defense=str(defense), seed=seed, accuracy=(), reason=_line(error))
        else:
            line = TrainedModel(defense=str(defense), seed=seed, accuracy=trained.accuracy)
        self.journal.add(line)

    def _network(self, number: int) -> nn.Module:
        """The network after some rounds of training as the clients take part."""
        if not self._networks:
            rounds = self.configuration.axes.rounds
            defense = self.configuration.axes.defenses[0]
            self._networks = {0: self.victim.model}
            if max(rounds):
                trained = course(self.configuration, self.victim, self.dealt, defense, 0, keep=rounds)
                self._networks |= trained.networks
        if number not in self._networks:
            raise InvalidConfiguration(f"expected the weights of round {number}, got none")
        return self._networks[number]

    def _audit(self, epochs: int) -> Audit:
        configuration = self.configuration
        return Audit(
            self.victim.model,
            self.victim.inputs,
            training=local_training(configuration, epochs),
            batchnorm=configuration.batchnorm,
            attacks=configuration.attacks,
            seconds=configuration.seconds,
            controls=self._controls,
            scorer=self.scorer,
            threshold=configuration.threshold,
            device=configuration.device,
            seed=configuration.seed,
        )


def _weights_hash(model: nn.Module) -> str:
    """The hash of a network's weights, of any type of numbers, by their names."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        if isinstance(value, Tensor):
            digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
            digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _calibration_hash(manifest: Manifest) -> str:
    """The hash of a metric's calibration and threshold, by which one graph finds other images recognizable."""
    return sha256_of(manifest.model_dump_json(include={"calibration", "threshold"}).encode())


def _line(error: Exception) -> str:
    """The error in one line; those of this project say themselves what was expected."""
    text = " ".join(str(error).split())
    return text if isinstance(error, SemSimError) else f"{type(error).__name__}: {text}"
