"""FID of every setting of a judged set, and how far it agrees with the annotators."""

import numpy as np

from semsim.exceptions import InvalidDataset
from semsim.fid.frechet import FeatureExtractor, FrechetDistance, fid
from semsim.images import resize
from semsim.progress import Progress, silent
from semsim_training.faithfulness.report import FidRecord, SettingFid
from semsim_training.faithfulness.study import SMALLEST_SETTING
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.judged.pair import Pair
from semsim_training.statistics.intervals import Floats
from semsim_training.statistics.ranks import kendall_rows, pearson_rows, spearman_rows


def fid_by_setting(judged: JudgedSet, extractor: FeatureExtractor, progress: Progress = silent) -> FidRecord:
    """FID between the originals and the reconstructions of each setting of at least five judged pairs.

    Its agreement is with the mean recognised share of a setting. It is turned: a lower FID leaks more.

    Raises:
        InvalidDataset: there is no such setting, or one has images of several sizes.
    """
    names = [name for name in judged.setting_names if judged.settings.count(name) >= SMALLEST_SETTING]
    if not names:
        raise InvalidDataset(f"expected a setting of at least {SMALLEST_SETTING} judged images for FID, got none")
    parts = [judged.take(np.array([setting == name for setting in judged.settings])) for name in names]
    distances = []
    for done, (name, part) in enumerate(zip(names, parts, strict=True), start=1):
        distances.append(_distance(name, part.pairs, extractor))
        progress("fid", done, len(names))
    closeness = np.array([[-distance.value for distance in distances]])
    shares = np.round(np.array([[part.shares.mean() for part in parts]]), 12)
    return FidRecord(
        extractor=extractor.name,
        dimension=distances[0].dimension,
        settings=tuple(
            SettingFid(setting=name, value=distance.value, images=len(part))
            for name, distance, part in zip(names, distances, parts, strict=True)
        ),
        spearman=_figure(spearman_rows(closeness, shares)),
        kendall=_figure(kendall_rows(closeness, shares)),
        pearson=_figure(pearson_rows(closeness, shares)),
    )


def _distance(setting: str, pairs: tuple[Pair, ...], extractor: FeatureExtractor) -> FrechetDistance:
    originals = [pair.original() for pair in pairs]
    sizes = {image.shape for image in originals}
    if len(sizes) > 1:
        raise InvalidDataset(f"expected originals of one size for FID in {setting}, got {len(sizes)}")
    height, width, _ = originals[0].shape
    reconstructions = [resize(pair.reconstruction(), height, width) for pair in pairs]
    return fid(np.stack(originals), np.stack(reconstructions), extractor)


def _figure(values: Floats) -> float | None:
    return None if np.isnan(values[0]) else float(values[0])
