"""The question of a round: does what a client sends give its images away?"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from threading import Lock
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import semsim
from semsim.controls import Controls
from semsim.exceptions import InvalidConfiguration, NotCalibrated
from semsim.images import RGBImage
from semsim.scorer import Scorer
from semsim_federation.attempts import Attempts
from semsim_federation.audited_images import audited_images
from semsim_federation.found_images import FoundImages
from semsim_federation.leakage_report import LeakageReport, LeakageVerdict
from semsim_training.attacks.attack_arguments import (
    refuse_other_types,
    refuse_weights_that_are_not_finite,
    whole_labels,
)
from semsim_training.attacks.choice import AttackChoice
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.defenses.defense import Defense
from semsim_training.defenses.rules import defend
from semsim_training.gradients.attackable import independent_copy
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.observation import BatchNormMode, Observation, Victim
from semsim_training.observations.sent_tensors import SentTensors
from semsim_training.observations.update_files import observation_of, with_weights
from semsim_training.observations.update_kind import UpdateKind
from semsim_training.victims.state_dicts import plain_module

TrainFunction = Callable[[dict[str, NDArray[Any]], NDArray[np.uint8], Sequence[int]], Mapping[str, Any]]
"""Local training: weights by name, images ``(N, H, W, C)`` and labels to the weights after it."""
_CLOSED = ("imprint", "closed-form")
"""The closed forms that are always tried, and first: they take milliseconds, and a malicious server may have put in an
imprint module."""


class Audit:
    """Attacks a client's update as a server could, and tells which of the client's images leak.

    It needs the client's images, and so belongs where they are, or at a server with public images. Threads may
    share it; one update is audited at a time.

    Args:
        model: the network that clients train.
        inputs: the size, channels, classes and normalisation of its images.
        training: the local training of clients; None where they send gradients.
        batchnorm: ``train`` where clients' batch normalisation uses their batches' statistics.
        attacks: the searches to try, in this order, after the closed forms.
        seconds: the time for all attacks on one update. What does not fit is skipped, and the report says so.
        controls: at least 100 public images of the kind of the clients', or their :class:`Controls`.
        scorer: the metric; None for the bundled one.
        threshold: the leakage from which on an image is recognizable, up to that of a copy; None for the model's own.
        device: the device of the attacks, ``cpu`` or ``cuda``.
        seed: the seed of the attacks.

    Raises:
        InvalidConfiguration: an unknown attack, too few controls or those of another model, or a number outside its
            range.
        NotCalibrated: the scoring model gives no leakage.
        InvalidVictim: the model is no network with weights in memory.
    """

    def __init__(
        self,
        model: nn.Module,
        inputs: Inputs,
        *,
        training: LocalTraining | None = None,
        batchnorm: BatchNormMode = "eval",
        attacks: Sequence[str] = ("closed-form", "smooth"),
        seconds: float = 20.0,
        controls: Controls | Iterable[RGBImage],
        scorer: Scorer | None = None,
        threshold: float | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        refuse_other_types(model, inputs)
        if not seconds > 0:
            raise InvalidConfiguration(f"expected more than 0 seconds, got {seconds}")
        if batchnorm not in get_args(BatchNormMode):
            raise InvalidConfiguration(f"expected batchnorm of {', '.join(get_args(BatchNormMode))}, got {batchnorm}")
        self.model, self.inputs, self.training, self.batchnorm = plain_module(model), inputs, training, batchnorm
        names = dict.fromkeys((*_CLOSED, *attacks))
        self.attacks = {name: AttackChoice(preset=name).resolve() for name in names}
        self.seconds, self.device, self.seed = seconds, device, seed
        self.scorer = Scorer() if scorer is None else scorer
        if (calibration := self.scorer.manifest.calibration) is None:
            raise NotCalibrated("expected a calibrated scoring model, got one that gives no leakage")
        most = float(calibration.leakage(np.zeros(1))[0])
        if threshold is not None and (isinstance(threshold, bool) or not 0 < threshold <= most):
            raise InvalidConfiguration(
                f"expected a threshold of more than 0 and up to {most:.4f}, the leakage of a copy, got {threshold}"
            )
        self.threshold = self.scorer.manifest.threshold if threshold is None else threshold
        # One network for all rounds: attacks try the ways to its gradients once for each network.
        self._network, self._lock = independent_copy(self.model), Lock()
        self.controls = controls if isinstance(controls, Controls) else Controls.of(self.scorer, controls)
        self.controls.require_model(self.scorer)

    def update(
        self,
        before: SentTensors,
        after: SentTensors,
        images: Sequence[Any] | NDArray[np.uint8],
        labels: Sequence[int],
        *,
        kind: UpdateKind | str = UpdateKind.AFTER,
        defense: str = "none",
        round: int | None = None,
    ) -> LeakageReport:
        """Audit what one client sends.

        Args:
            before: the weights that the client got, in any form that :func:`semsim_training.attacks.attack` takes.
            after: the client's answer, in the same form.
            images: the images behind it as the network takes them, uint8 ``(N, H, W, C)`` or a list.
            labels: their classes. The attacks know them, as a server nearly always can.
            kind: ``after`` for weights after training, ``delta`` for their change, ``gradient``.
            defense: the defense that the client has applied already, by name. Without one the images must explain the
                update, or the report could not tell.
            round: the number of the round, for the report.

        Raises:
            InvalidArray: there is no image, or one that the network does not take.
            InvalidUpdate: the update is not the model's, is not finite, or contradicts what is declared.
            InvalidVictim: the model cannot be attacked, or ``before`` is not its state.
            InvalidConfiguration: an unknown kind of update.
        """
        originals = audited_images(images, self.inputs)
        if not isinstance(kind, str) or kind not in set(UpdateKind):
            raise InvalidConfiguration(f"expected a kind of update of {', '.join(UpdateKind)}, got {kind}")
        with self._lock:
            began = time.monotonic()
            sent = with_weights(self.model, before)
            refuse_weights_that_are_not_finite(sent)
            self._network.load_state_dict(sent.state_dict())
            observation = observation_of(
                Victim(self._network, self.inputs, type(self._network).__name__),
                after,
                UpdateKind(kind),
                images=len(originals),
                labels=whole_labels(labels),
                local_training=self.training,
                batchnorm=self.batchnorm,
            )
            return self._report(observation, originals, began, defense, round)

    def probe(
        self,
        weights: Mapping[str, Any],
        train_fn: TrainFunction,
        images: Sequence[Any] | NDArray[np.uint8],
        labels: Sequence[int],
        *,
        defense: str = "none",
        round: int | None = None,
    ) -> LeakageReport:
        """Audit the update that a client with these public images would send.

        Args:
            weights: the weights of the round, by name.
            train_fn: the local training; it gets a copy of the weights, and returns those after it.
            images: public images as the network takes them, uint8 ``(N, H, W, C)`` or a list.
            labels: their classes.
            defense: the defense that the probe applies to the change of the weights, as
                :mod:`semsim_training.defenses` writes it.
            round: the number of the round, for the report and for the seed of the defense.

        Raises:
            InvalidConfiguration: an unknown defense.
            SemSimError: as :meth:`update` says.
        """
        chosen = Defense(defense)
        copies = {name: as_array(value).copy() for name, value in weights.items()}
        after = train_fn(
            {name: value.copy() for name, value in copies.items()}, audited_images(images, self.inputs), labels
        )
        sent = defended(
            copies, {name: as_array(value) for name, value in after.items()}, chosen, self.seed + (round or 0)
        )
        return self.update(copies, sent, images, labels, defense=defense, round=round)

    def _report(
        self, observation: Observation, originals: NDArray[np.uint8], began: float, defense: str, round: int | None
    ) -> LeakageReport:
        began_scoring = time.monotonic()
        found = FoundImages(self.scorer, self.controls, self.threshold, originals)
        # Of each attack as many images are scored, which takes time, too.
        scoring = 2 * (time.monotonic() - began_scoring)
        attempts = Attempts(observation, began + self.seconds - scoring, self.device, self.seed)
        for name, attack in self.attacks.items():
            if found.all_leaked:
                attempts.skip(name, "every image leaked already")
            elif (images := attempts.run(name, attack)) is not None:
                found.add(name, images)
        doubts: tuple[str, ...] = ()
        if any(image.leaked for image in found.leakages):
            verdict = LeakageVerdict.LEAKS
        elif not attempts.explained:
            verdict = LeakageVerdict.COULD_NOT_TELL
        else:
            declared = attempts.doubts(originals, is_defended=defense != "none")
            doubts = (*found.doubts, *declared, *attempts.prevented)
            verdict = LeakageVerdict.COULD_NOT_TELL if doubts else LeakageVerdict.NOT_SHOWN
        manifest = self.scorer.manifest
        return LeakageReport(
            verdict=verdict,
            images=found.leakages,
            attempts=tuple(attempts.done),
            round=round,
            defense=defense,
            batch=len(originals),
            seconds=time.monotonic() - began,
            threshold=self.threshold,
            controls=len(found.controls),
            luck=found.luck,
            model=f"{manifest.name} {manifest.version}",
            versions={"semsim": semsim.__version__, "torch": version("torch"), "numpy": version("numpy")},
            doubts=doubts,
            control_leakages=found.control_leakages,
            reconstructions=found.reconstructions,
        )


def defended(
    before: Mapping[str, NDArray[Any]], after: Mapping[str, NDArray[Any]], defense: Defense, seed: int
) -> dict[str, NDArray[Any]]:
    """The weights after a defense of the change of their floating-point numbers; others stay as they are."""
    names = [name for name, value in after.items() if name in before and np.issubdtype(value.dtype, np.floating)]
    change = {name: torch.from_numpy(np.asarray(after[name] - before[name])) for name in names}
    changed = defend(change, defense, seed)
    return {
        name: np.asarray(before[name] + changed[name].numpy()).astype(value.dtype) if name in changed else value
        for name, value in after.items()
    }


def as_array(value: Any) -> NDArray[Any]:
    """A tensor, or anything that NumPy can view, as an array."""
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
