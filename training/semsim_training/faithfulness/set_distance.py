"""FID of every setting of a study, and how far it agrees with the judges."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from semsim.exceptions import InvalidDataset
from semsim.images import decode, resize
from semsim_training.annotation.shares import Share
from semsim_training.faithfulness.judged import Pair
from semsim_training.faithfulness.report import FidRecord, SettingFid
from semsim_training.faithfulness.study import SMALLEST_SETTING, Floats
from semsim_training.reference_metrics.frechet import FeatureExtractor, fid
from semsim_training.statistics.ranks import kendall_rows, pearson_rows, spearman_rows


def fid_by_setting(
    pairs: Sequence[Pair],
    votes: Mapping[str, Share],
    extractor: FeatureExtractor,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> FidRecord:
    """FID between the originals and the reconstructions of each setting of at least five judged pairs.

    Agreement is with the share of judges who recognised, by setting, and turned: higher = a lower FID leaks more.

    Raises:
        InvalidDataset: no such setting, or one with images of several sizes.
    """
    by_setting: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_setting.setdefault(pair.setting, []).append(pair)
    large = {name: own for name, own in by_setting.items() if len(own) >= SMALLEST_SETTING}
    found, shares, dimension = [], [], 0
    for done, (setting, own) in enumerate(large.items(), start=1):
        originals = [decode(pair.original) for pair in own]
        sizes = {image.shape for image in originals}
        if len(sizes) > 1:
            raise InvalidDataset(f"expected originals of one size for FID in {setting}, got {len(sizes)}")
        height, width, _ = originals[0].shape
        reconstructions = [resize(decode(pair.reconstruction), height, width) for pair in own]
        distance = fid(np.stack(originals), np.stack(reconstructions), extractor)
        dimension = distance.dimension
        found.append(SettingFid(setting=setting, value=distance.value, images=len(own)))
        shares.append(float(np.mean([votes[pair.item].recognised / votes[pair.item].judged for pair in own])))
        progress("fid", done, len(large))
    if not found:
        raise InvalidDataset(f"expected a setting of at least {SMALLEST_SETTING} judged images for FID, got none")
    closeness, judged = np.array([[-one.value for one in found]]), np.round(np.array([shares]), 12)
    return FidRecord(
        extractor=extractor.name,
        dimension=dimension,
        settings=tuple(found),
        spearman=_figure(spearman_rows(closeness, judged)),
        kendall=_figure(kendall_rows(closeness, judged)),
        pearson=_figure(pearson_rows(closeness, judged)),
    )


def _figure(values: Floats) -> float | None:
    return None if np.isnan(values[0]) else float(values[0])
