"""FID of two directories of images. It is about the two sets, and says nothing about any pair."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semsim.bulk.files import Directories
from semsim.exceptions import InvalidDataset, InvalidImage
from semsim.fid.fid_network import FID_BATCH, FidNetwork
from semsim.fid.frechet import frechet_distance
from semsim.images import DecodeLimits, decode
from semsim.progress import Progress


@dataclass(frozen=True, slots=True)
class DirectoryFid:
    """FID between all images of two directories, whether they are in a pair or not."""

    value: float | None
    """>= 0; 0 = the features of both sets have one mean and one covariance. None where there is none."""
    reason: str | None
    """The reason why there is no value."""
    extractor: str
    """The name and the version of the artifact whose features were compared."""
    features: int
    """The number of features of an image."""
    originals: int
    """The number of originals that took part."""
    reconstructions: int
    left_out: int
    """The images of both directories that could not be decoded, and so are in no set."""
    same_sizes: bool
    """False where one directory has images of sizes that the other has not: FID is of the stretching, too."""
    is_biased: bool
    """True where a set has no more images than features: such a value is above that of larger sets."""


@dataclass(frozen=True, slots=True)
class _FeatureSet:
    features: NDArray[np.float32]
    sizes: frozenset[tuple[int, ...]]


def fid_of_directories(
    network: FidNetwork,
    directories: Directories,
    originals: Sequence[Path],
    reconstructions: Sequence[Path],
    limits: DecodeLimits,
    progress: Progress,
) -> DirectoryFid:
    """FID between files of two directories, by paths relative to them. The features take 8 KB an image of memory.

    Raises:
        InvalidGraph: the network gave NaN or infinity.
    """
    before = _features(network, [directories.originals / path for path in originals], limits, progress)
    after = _features(network, [directories.reconstructions / path for path in reconstructions], limits, progress)
    counts = len(before.features), len(after.features)
    value, reason = None, None
    try:
        value = frechet_distance(before.features, after.features).value
    except InvalidDataset as error:
        reason = str(error)
    return DirectoryFid(
        value=value,
        reason=reason,
        extractor=network.name,
        features=network.artifact.manifest.features,
        originals=counts[0],
        reconstructions=counts[1],
        left_out=len(originals) + len(reconstructions) - sum(counts),
        same_sizes=before.sizes == after.sizes,
        is_biased=min(counts) <= network.artifact.manifest.features,
    )


def _features(network: FidNetwork, files: Sequence[Path], limits: DecodeLimits, progress: Progress) -> _FeatureSet:
    batches, sizes = [network.features([])], set()
    for start in range(0, len(files), FID_BATCH):
        images = []
        for file in files[start : start + FID_BATCH]:
            try:
                image = decode(file, limits=limits)
            except InvalidImage:  # the row of its pair says why
                continue
            sizes.add(image.shape)
            images.append(network.stretched(image))
        batches.append(network.features(images))
        progress("fid", min(start + FID_BATCH, len(files)), len(files))
    return _FeatureSet(np.concatenate(batches), frozenset(sizes))
