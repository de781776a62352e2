"""The controls of an artifact: the embeddings of public images of the training split, without the images."""

import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semsim.chance import different
from semsim.exceptions import InvalidDataset
from semsim.images import RGBImage
from semsim.manifest import CONTROLS_FILE, MANIFEST_FILE, ControlsSpec, Manifest
from semsim.providers import ProviderSettings
from semsim.scorer import Scorer
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.client_images.source import ImageSource
from semsim_training.reconstructions.grid import Splits
from semsim_training.reconstructions.plan import split_of
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet

_SPARE = 2
"""The images of each data set, in shares: images that are nearly equal, or that two data sets hold, count once."""


@dataclass(frozen=True, slots=True)
class ControlOptions:
    """The options of the choice of controls."""

    count: int = 512
    seed: int = 0


def export_controls(
    artifact: Path,
    sets: Sequence[Path],
    options: ControlOptions,
    *,
    settings: ProviderSettings | None = None,
) -> Manifest:
    """Write ``artifact/controls.npy``, and its description into ``manifest.json``.

    The images are those of the data sets of reconstruction sets whose originals belong to the split ``train``, so that
    no original of a test is its own control. Every data set gives as many, as even over its classes as can be.

    Raises:
        ArtifactError: the artifact is missing or invalid.
        InvalidDataset: a set or its images are not there, or they are too few.
    """
    scorer = Scorer(artifact, providers=settings, controls=False)
    manifest = scorer.manifest
    chosen = control_images([ReconstructionSet.read(directory) for directory in sets], options)
    embeddings = scorer.embed([image for _, image in chosen])
    kept = np.flatnonzero(different(embeddings))[: options.count]
    if len(kept) < options.count:
        raise InvalidDataset(f"expected {options.count} different images of the split train, got {len(kept)}")
    stored = io.BytesIO()
    np.save(stored, embeddings[kept].astype(np.float16))
    counts = Counter(chosen[row][0] for row in kept)
    spec = ControlsSpec(
        sha256=hashlib.sha256(stored.getvalue()).hexdigest(),
        count=len(kept),
        dimension=manifest.embedding.dimension,
        graph_sha256=manifest.graph.sha256,
        source=", ".join(f"{count} images of {name}" for name, count in sorted(counts.items())) + "; split train",
    )
    described = Manifest.model_validate(manifest.model_copy(update={"controls": spec}).model_dump())
    for name, data in (
        (CONTROLS_FILE, stored.getvalue()),
        (MANIFEST_FILE, f"{described.model_dump_json(indent=2)}\n".encode()),
    ):
        writing = artifact / f"{name}.writing"
        writing.write_bytes(data)
        writing.replace(artifact / name)
    return described


def control_images(sets: Sequence[ReconstructionSet], options: ControlOptions) -> list[tuple[str, RGBImage]]:
    """The images that may become controls, the first before others, each with the name of its data set.

    There are more than ``options.count``, and the data sets take turns.

    Raises:
        InvalidDataset: the images of a set are not there.
    """
    pools: dict[str, LabelledImages] = {}
    for one in sets:
        splits = Splits.model_validate(one.description.grid.get("splits") or {})
        for source in one.description.sources:
            whole = ImageSource.model_validate(source.model_dump(include=set(ImageSource.model_fields)))
            key = whole.model_dump_json()
            if key not in pools:
                pools[key] = _train_split(whole.load(), splits)
    share = -(-options.count // max(1, len(pools))) * _SPARE
    spread = [pool.spread(share, options.seed) for pool in pools.values()]
    ranked = [(rank, part, image) for part in spread for rank, image in enumerate(part.images)]
    return [(part.name, image) for _, part, image in sorted(ranked, key=lambda one: one[0])]


def _train_split(images: LabelledImages, splits: Splits) -> LabelledImages:
    names = (f"{images.name}/{name}" for name in images.identifiers)
    return images.take([row for row, name in enumerate(names) if split_of(name, splits) == "train"])
