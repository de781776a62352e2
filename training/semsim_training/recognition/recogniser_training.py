"""Training recognisers: images of the classes of a reconstruction set, none of them attacked, clean and degraded."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from semsim.exceptions import InvalidDataset
from semsim_training.configuration import expanded, read_configuration
from semsim_training.fitting import fit
from semsim_training.images.labelled import LabelledImages
from semsim_training.images.source import ImageSource
from semsim_training.progress import Progress
from semsim_training.recognition.degradations import degrade
from semsim_training.recognition.recogniser import (
    Recogniser,
    RecogniserDescription,
    RecogniserRecord,
    load_recogniser,
    save_recogniser,
)
from semsim_training.reconstructions.dataset import DatasetDescription, read_set
from semsim_training.seeds import stable_hash

_TEST_SHARE = 0.1


class RecogniserTraining(BaseModel):
    """Recognisers for one reconstruction set, one a seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: Path
    """The reconstruction set; relative to the configuration."""
    images: ImageSource
    """Of the same classes; those that the set attacks are left out."""
    architecture: str
    pretrained: Path | None = None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resolution: int = Field(default=96, ge=32)
    epochs: int = Field(ge=1)
    epoch_images: int = Field(ge=1)
    """Images an epoch, drawn evenly from all classes."""
    batch_size: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.02, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)


class RecogniserTrainings(BaseModel):
    """What a configuration file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recognisers: Mapping[str, RecogniserTraining]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a configuration file.

        Raises:
            InvalidConfiguration: no such file, no YAML, or it does not fit the schema.
        """
        return read_configuration(cls, path)


def train_recogniser(
    name: str,
    training: RecogniserTraining,
    seed: int,
    base: Path,
    path: Path,
    *,
    progress: Progress = lambda *_: None,
    device: str = "cpu",
) -> RecogniserDescription:
    """Train one recogniser and write it to ``path``; an interrupted run goes on after its last epoch.

    Raises:
        InvalidDataset: no such set or images, or a class of the set has no images beside the attacked ones.
    """
    directory = base / expanded(training.dataset)
    train, test = _split(_unattacked(training.images.load(), directory))
    pretrained = None if training.pretrained is None else expanded(training.pretrained)
    description = RecogniserDescription(
        name=f"{name}-{seed}",
        dataset=DatasetDescription.read(directory).name,
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
        rate=lambda position: training.learning_rate * _warm_cosine(position, training.epochs),
        state=path.with_suffix(".state.safetensors"),
        progress=progress,
    )
    save_recogniser(model, description, path)
    # Measured on what was saved: half precision.
    record = _measure(load_recogniser(path).to(device), train, test, seed)
    description = description.model_copy(update={"record": record})
    save_recogniser(model, description, path)
    return description


def _unattacked(images: LabelledImages, directory: Path) -> LabelledImages:
    rows = read_set(directory, columns=("image", "class")).to_pylist()
    classes, attacked = sorted({row["class"] for row in rows}), {row["image"] for row in rows}
    missing = sorted(set(classes) - set(images.classes))
    if missing:
        raise InvalidDataset(
            f"expected images of all classes of {directory} in {images.name}, got none of {missing[0]}"
        )
    known = {images.classes.index(name): label for label, name in enumerate(classes)}
    kept = [
        index
        for index, label in enumerate(images.labels)
        if int(label) in known and images.identifiers[index] not in attacked
    ]
    return LabelledImages(
        name=images.name,
        images=images.images[kept],
        labels=np.asarray([known[int(images.labels[index])] for index in kept], dtype=np.int64),
        classes=tuple(classes),
        identifiers=tuple(images.identifiers[index] for index in kept),
    )


def _split(images: LabelledImages) -> tuple[LabelledImages, LabelledImages]:
    held_out = np.asarray(
        [stable_hash(f"recogniser/{name}") % 1000 < _TEST_SHARE * 1000 for name in images.identifiers]
    )
    train, test = (images.take(np.flatnonzero(chosen)) for chosen in (~held_out, held_out))
    empty = sorted(set(range(len(images.classes))) - set(train.labels.tolist()))
    if empty:
        raise InvalidDataset(f"expected training images of every class in {images.name}, got none of "
                             f"{images.classes[empty[0]]}")  # fmt: skip
    return train, test


def _batches(
    images: LabelledImages, training: RecogniserTraining, seed: int, epoch: int, steps: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches with as many images of each class as of any other: an annotator expects none more than another."""
    rng = np.random.default_rng([seed, epoch])
    noise = torch.Generator().manual_seed(stable_hash(f"{seed}/{epoch}"))
    by_class = [np.flatnonzero(images.labels == label) for label in range(len(images.classes))]
    order: list[int] = []
    while len(order) < steps * training.batch_size:
        order += [int(rng.choice(by_class[label])) for label in rng.permutation(len(by_class))]
    for start in range(0, steps * training.batch_size, training.batch_size):
        chosen = order[start : start + training.batch_size]
        yield degrade(_pixels(images.images[chosen]), noise), torch.from_numpy(images.labels[chosen])


def _warm_cosine(position: float, epochs: int) -> float:
    """Up over the first twentieth, down to nothing by half a cosine."""
    share = position / epochs
    return min(1.0, (share + 1e-3) / 0.05) * 0.5 * (1 + math.cos(math.pi * share))


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
