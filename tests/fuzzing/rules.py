"""The rules: what must hold for a value, a picture, a directory, an update or a grid, whatever it is."""

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np

from semsim.exceptions import (
    InvalidAnnotations,
    InvalidConfiguration,
    InvalidImage,
    InvalidManifest,
    InvalidTensor,
    InvalidUpdate,
    SemSimError,
)
from semsim.images import DecodeLimits, decode, images_from_tensor
from semsim.images.formats import sniff
from semsim.manifest import MANIFEST_FILE, read_manifest
from semsim.pairs import PairFailure
from semsim.pixel_metrics import pixel_metrics
from semsim.scorer import PairScore
from semsim_training.annotation.label_studio.labelling_export import read_export
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.update_files import observation_of
from semsim_training.observations.update_kind import UpdateKind
from semsim_training.reconstructions.grid import Grid
from tests.fuzzing.documents import KEY
from tests.fuzzing.files import DRAWN, WHOLE, Edit, Way, apply
from tests.fuzzing.updates import UpdateFile
from tests.fuzzing.world import World, require

LIMITS = DecodeLimits(max_bytes=2**18, max_pixels=2**16)
TOLERANCE_DB = 1.0
_LONGEST = 20_000
_WHOLE_PSNR = {name: float(pixel_metrics([DRAWN], [decode(data)]).psnr[0]) for name, data in WHOLE.items()}
_URL = re.compile(r"https?://")


def told(error: SemSimError) -> None:
    """An error says in a line or a few what was expected, and not in the words of a library's web page."""
    message = str(error)
    require("expected" in message or "needs" in message, f"expected a message of what was expected, got {message!r}")
    require(len(message) < _LONGEST, f"expected a message for people, got {len(message)} characters")
    require(not _URL.search(message), f"expected no address in a message, got {message!r}")


def is_picture(array: np.ndarray) -> None:
    """An image is what every caller expects."""
    right = isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3
    require(right and min(array.shape) > 0, "expected uint8 (H, W, 3)")
    require(
        array.shape[0] * array.shape[1] <= LIMITS.max_pixels, f"expected pixels within the limit, got {array.shape}"
    )


def value(world: World, given: Any) -> None:
    """Any value is an image, or refused as one."""
    try:
        is_picture(decode(given, limits=LIMITS))
    except InvalidImage as error:
        told(error)


def tensor(world: World, case: tuple[Any, Any, Any, Any]) -> None:
    """Any tensor with any statistics gives images, or is refused."""
    given, mean, std, value_range = case
    try:
        images = images_from_tensor(given, mean=mean, std=std, value_range=value_range)
    except InvalidTensor as error:
        told(error)
    else:
        require(images.dtype == np.uint8 and images.ndim == 4 and images.shape[3] == 3, "expected uint8 (N, H, W, 3)")


def arrays(world: World, case: tuple[Any, Any]) -> None:
    """Two lists of any values are scored, or refused."""
    try:
        scores = world.scorer.score_images(*case)
    except (InvalidImage, ValueError, TypeError) as error:
        require(
            isinstance(error, InvalidImage) or "expected" in str(error), f"expected an error of ours, got {error!r}"
        )
    else:
        require(all(isinstance(score, PairScore) for score in scores), "expected scores")


def pairs(world: World, given: list[Any]) -> None:
    """A pair that is none, or holds what is no image, fails alone; a good pair is scored as it is alone.

    An integer in the place of a pair stands for a good pair.
    """
    good = {place: _good(world, number) for place, number in enumerate(given) if type(number) is int}
    asked = [good.get(place, pair) for place, pair in enumerate(given)]
    outcomes = world.scorer.score_pairs(asked, limits=LIMITS)
    require(len(outcomes) == len(given), f"expected {len(given)} outcomes, got {len(outcomes)}")
    for place, outcome in enumerate(outcomes):
        if isinstance(outcome, PairFailure):
            require(place not in good, f"expected the good pair {place} to be scored, got {outcome}")
            require(outcome.code and outcome.message, f"expected a failure that says why, got {outcome}")
        elif place in good:
            same(outcome, world.scorer.score(*good[place]))
        else:
            require(isinstance(outcome, PairScore), f"expected a score or a failure, got {outcome!r}")


def same(got: PairScore, alone: PairScore) -> None:
    """Two scores of one pair agree."""
    close = math.isclose(got.distance, alone.distance, rel_tol=1e-5, abs_tol=1e-5)
    rest = replace(got, distance=0.0, leakage=None) == replace(alone, distance=0.0, leakage=None)
    require(close and rest, f"expected the score of the pair alone, {alone}, got {got}")


def _good(world: World, number: int) -> tuple[np.ndarray, np.ndarray]:
    count = len(world.pictures)
    return world.pictures[number % count], world.pictures[number // count % count]


def readable(world: World, case: tuple[str, list[Edit]]) -> None:
    """A file of any damage is an image, or refused as one."""
    value(world, apply(case))


def content(world: World, data: bytes) -> None:
    """A file of any content is told to be an image of some format, or none."""
    try:
        sniff(data)
    except InvalidImage as error:
        told(error)
    value(world, data)


def damaged(world: World, case: tuple[str, list[Edit]]) -> None:
    """A whole file of which a part is missing is refused, or shows what the whole shows."""
    name, _ = case
    data = apply(case)
    if data == WHOLE[name]:
        return
    try:
        image = decode(data, limits=LIMITS)
    except InvalidImage as error:
        told(error)
        return
    require(image.shape == DRAWN.shape, f"expected {DRAWN.shape} of a damaged {name}, got {image.shape}")
    psnr = float(pixel_metrics([DRAWN], [image]).psnr[0])
    least = min(_WHOLE_PSNR[name], 60.0) - TOLERANCE_DB
    require(psnr >= least, f"expected a refusal or {least:.1f} dB of a damaged {name}, got {psnr:.1f} dB")


TOLD: dict[str, tuple[Way, ...]] = {
    "png": (
        Way.CUT,
        Way.ZEROED,
        Way.BLANKED,
        Way.FLIPPED,
        Way.SPLICED,
        Way.DOUBLED,
        Way.REMOVED,
        Way.NUMBER,
        Way.TRAILING,
    ),
    "jpeg": (Way.CUT, Way.BLANKED, Way.TRAILING),
    "webp": (Way.CUT, Way.TRAILING),
}
"""The damage that each format can tell: the checksums of PNG tell all of it."""


def update(world: World, case: tuple[Any, UpdateKind, int]) -> None:
    """An update in memory or in a file is an observation, or refused."""
    sent, kind, images = case
    training = None if kind is UpdateKind.GRADIENT else LocalTraining(0.1, 1)
    try:
        observation_of(world.victim, sent, kind, images=images, local_training=training)
    except SemSimError as error:
        require(isinstance(error, InvalidUpdate), f"expected the refusal of an update, got {type(error).__name__}")
        told(error)


def update_file(world: World, case: UpdateFile) -> None:
    """A file with any content is an observation, or refused."""
    path = world.fresh() / f"update{case.suffix}"
    path.write_bytes(case.content)
    update(world, (path, case.kind, 1))


def grid(world: World, data: bytes) -> None:
    """A file with any content is a grid, or refused as a configuration."""
    path = world.fresh() / "grid.yaml"
    path.write_bytes(data)
    try:
        Grid.read(path)
    except SemSimError as error:
        require(isinstance(error, InvalidConfiguration), f"expected InvalidConfiguration, got {type(error).__name__}")
        told(error)


def export(world: World, data: bytes) -> None:
    """A file with any content is an export of Label Studio, some judgements of which may be refused, or refused."""
    path = world.fresh() / "export.json"
    path.write_bytes(data)
    try:
        taken = read_export(KEY, path)
    except InvalidAnnotations as error:
        told(error)
    else:
        answers = {None, *KEY.classes}
        require(all(one.answer in answers for one in taken.judgements), "expected answers of the key's classes")


def manifest(world: World, data: bytes) -> None:
    """A file with any content is a manifest, or refused as one."""
    home = world.fresh()
    (home / MANIFEST_FILE).write_bytes(data)
    try:
        read_manifest(home)
    except InvalidManifest as error:
        told(error)


def gate(world: World, case: Any) -> None:
    """A gate passes only where every reconstruction was scored, and none leaks."""
    home = world.fresh()
    originals, reconstructions = home / "originals", home / "reconstructions"
    leaks, judged = case.write(originals, reconstructions)
    code, report, said = world.gate(str(originals), str(reconstructions), "--fail-above", ".5", "--match", case.match)
    require(code in range(4), f"expected an exit code of the documented ones, got {code}")
    require("Traceback" not in said, f"expected no traceback, got {said}")
    if code == 2:
        require(re.search(r"error \[\w+\]: .*expected", said), f"expected a refusal that says why, got {said!r}")
    if code:
        return
    require(not leaks, f"expected a copy of an original to stop the gate, got exit code 0 with {leaks}")
    scored = {row["reconstruction"] for row in report["results"] if row.get("leakage") is not None}
    missed = judged - scored
    require(not missed, f"expected exit code 0 only with all scored, got it without {sorted(missed)}")
    require(report["summary"]["failed"] == 0, "expected no failed pair with exit code 0")
    world.seen["gates passed"] += 1
