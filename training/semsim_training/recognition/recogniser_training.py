"""Trains recognisers on clean and degraded images that a reconstruction set does not attack."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from semsim.progress import Progress, silent
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.configuration import expanded
from semsim_training.decay import half_cosine, warm_up
from semsim_training.fitting import fit
from semsim_training.recognition.degradations import degrade
from semsim_training.recognition.recogniser import Recogniser, load_recogniser, save_recogniser
from semsim_training.recognition.recogniser_configuration import RecogniserTraining
from semsim_training.recognition.recogniser_description import RecogniserDescription, RecogniserRecord
from semsim_training.recognition.unattacked_images import train_and_test, unattacked
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.seeds import stable_hash


def train_recogniser(
    name: str,
    training: RecogniserTraining,
    seed: int,
    base: Path,
    path: Path,
    *,
    progress: Progress = silent,
    device: str = "cpu",
) -> RecogniserDescription:
    """Train one recogniser and write it to ``path``. An interrupted run goes on after its last epoch.

    ``base`` is the directory of the configuration.

    Raises:
        InvalidDataset: no such set or images, or a class of the set has no images beside the attacked ones.
    """
    reconstructions = ReconstructionSet.read(base / expanded(training.dataset))
    train, test = train_and_test(unattacked(training.images.load(), reconstructions))
    pretrained = None if training.pretrained is None else expanded(training.pretrained)
    description = RecogniserDescription(
        name=f"{name}-{seed}",
        dataset=reconstructions.name,
        classes=train.classes,
        seed=seed,
        **{field: getattr(training, field) for field in ("architecture", "resolution", "mean", "std", "epochs")},
    )
    torch.manual_seed(seed)  # the head's weights, and dropout where a backbone has it
    model = Recogniser(description, pretrained).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=training.weight_decay)
    steps = training.epoch_images // training.batch_size
    fit(
        model,
        optimiser,
        lambda epoch: _batches(train, training, seed, epoch, steps),
        lambda batch: F.cross_entropy(
            model(batch[0].to(device)), batch[1].to(device), label_smoothing=training.label_smoothing
        ),
        epochs=training.epochs,
        steps=steps,
        rate=lambda position: _rate(training, position),
        state=path.with_suffix(".state.safetensors"),
        progress=progress,
    )
    save_recogniser(model, description, path)
    # The saved weights are measured: they have half precision.
    record = _measure(load_recogniser(path).to(device), train, test, seed)
    description = description.model_copy(update={"record": record})
    save_recogniser(model, description, path)
    return description


def _rate(training: RecogniserTraining, position: float) -> float:
    """The learning rate at a position in epochs."""
    share = position / training.epochs
    return training.learning_rate * (warm_up(share) * half_cosine(share))


def _batches(
    images: LabelledImages, training: RecogniserTraining, seed: int, epoch: int, steps: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches with as many images of each class as of any other: an annotator expects no class more than another."""
    rng = np.random.default_rng([seed, epoch])
    noise = torch.Generator().manual_seed(stable_hash(f"{seed}/{epoch}"))
    by_class = [np.flatnonzero(images.labels == label) for label in range(len(images.classes))]
    order: list[int] = []
    while len(order) < steps * training.batch_size:
        order += [int(rng.choice(by_class[label])) for label in rng.permutation(len(by_class))]
    for start in range(0, steps * training.batch_size, training.batch_size):
        chosen = order[start : start + training.batch_size]
        yield degrade(_pixels(images.images[chosen]), noise), torch.from_numpy(images.labels[chosen])


def _measure(model: Recogniser, train: LabelledImages, test: LabelledImages, seed: int) -> RecogniserRecord:
    noise = torch.Generator().manual_seed(stable_hash(f"{seed}/test"))
    degraded = degrade(_pixels(test.images), noise).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    clean, hard = model.probabilities(test.images), model.probabilities(degraded)
    return RecogniserRecord(
        trained_on=train.name,
        images=len(train),
        test_images=len(test),
        clean_accuracy=_accuracy(clean, test),
        degraded_accuracy=_accuracy(hard, test),
        calibration_error=_calibration_error(hard, test.labels),
    )


def _accuracy(probabilities: NDArray[np.float64], test: LabelledImages) -> float:
    return round(float((probabilities.argmax(1) == test.labels).mean()), 4)


def _calibration_error(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [abs(float(confidence[bins == b].mean() - right[bins == b].mean())) * (bins == b).mean() for b in set(bins)]
    return round(float(sum(gaps)), 4)


def _pixels(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float()
