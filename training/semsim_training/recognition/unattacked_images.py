"""The images that a recogniser learns on: of the classes of a reconstruction set, and none that the set attacks."""

import numpy as np

from semsim.exceptions import InvalidDataset
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet
from semsim_training.seeds import stable_hash

_TEST_SHARE = 0.1


def unattacked(images: LabelledImages, reconstructions: ReconstructionSet) -> LabelledImages:
    """The images of the set's classes that the set does not attack, labelled by these classes.

    Raises:
        InvalidDataset: a class of the set has no images.
    """
    classes = sorted({row.class_name for row in reconstructions.rows})
    missing = sorted(set(classes) - set(images.classes))
    if missing:
        raise InvalidDataset(
            f"expected images of all classes of {reconstructions.name} in {images.name}, got none of {missing[0]}"
        )
    attacked = {row.image for row in reconstructions.rows}
    new_labels = {images.classes.index(name): label for label, name in enumerate(classes)}
    kept = [
        index
        for index, label in enumerate(images.labels)
        if int(label) in new_labels and images.identifiers[index] not in attacked
    ]
    return LabelledImages(
        name=images.name,
        images=images.images[kept],
        labels=np.asarray([new_labels[int(images.labels[index])] for index in kept], dtype=np.int64),
        classes=tuple(classes),
        identifiers=tuple(images.identifiers[index] for index in kept),
    )


def train_and_test(images: LabelledImages) -> tuple[LabelledImages, LabelledImages]:
    """Nine tenths to train on and one tenth to test on, by the images' names.

    Raises:
        InvalidDataset: a class has no images to train on.
    """
    held_out = np.asarray(
        [stable_hash(f"recogniser/{name}") % 1000 < _TEST_SHARE * 1000 for name in images.identifiers]
    )
    train, test = (images.take(np.flatnonzero(chosen)) for chosen in (~held_out, held_out))
    empty = sorted(set(range(len(images.classes))) - set(train.labels.tolist()))
    if empty:
        raise InvalidDataset(
            f"expected training images of every class in {images.name}, got none of {images.classes[empty[0]]}"
        )
    return train, test
