"""MSE, PSNR and SSIM of batches of 8-bit RGB images.

The three agree to 1e-6 with scikit-image's ``mean_squared_error``, ``peak_signal_noise_ratio`` and
``structural_similarity(data_range=255, channel_axis=-1)``, which the paper's code reports. Elsewhere the same names
stand for other numbers: with a Gaussian window, another padding, or one mean over a batch. SSIM: Wang et al., "Image
quality assessment: from error visibility to structural similarity", IEEE TIP 2004.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from semsim.exceptions import ImageTooSmall, InvalidArray
from semsim.images import RGBImage, resize
from semsim.stages import Pause, go_on

SSIM_WINDOW = 7
"""The side of SSIM's uniform window, pixels; a smaller image has no SSIM."""

_CHANNELS = 3
_DATA_RANGE = 255.0
_C1 = (0.01 * _DATA_RANGE) ** 2
_C2 = (0.03 * _DATA_RANGE) ** 2
# The values of one step of the arithmetic. Its dozen temporary arrays then stay in the cache, and a photograph of 16
# megapixels needs a few megabytes, whatever its shape.
_STEP_VALUES = 3 * 2**15
# Wider images are cut along their columns, too. The pieces then have rows enough that few are in two of them.
_STEP_COLUMNS = 512
# The values of the images that are computed together: many small ones, or a single large one.
_PIECE_VALUES = 2**20

Batch = NDArray[np.uint8] | NDArray[np.float64]
"""Images ``(N, H, W, 3)``, RGB, 0..255."""

_Values: TypeAlias = NDArray[Any]
"""Numbers of a type that is wide enough for the sums: uint16, int32 or float64."""


def mse(originals: Batch, reconstructions: Batch, *, pause: Pause = go_on) -> NDArray[np.float64]:
    """Mean squared error of each pair, float64 ``(N,)``, in squared 8-bit levels; 0 = equal.

    ``pause`` is called before each piece of some milliseconds.

    Raises:
        InvalidArray: the batches are not of one shape ``(N, H, W, 3)``.
    """
    _check(originals, reconstructions)
    sums = np.zeros(len(originals))
    for piece in _steps(originals.shape, overlap=0):
        pause()
        # The difference of 8-bit values is exact in 16 bits, and faster than in float64.
        kind = np.int16 if _are_bytes(originals, reconstructions) else np.float64
        difference = _flat(np.subtract(originals[piece], reconstructions[piece], dtype=kind), np.float64)
        sums[piece[0]] += np.einsum("ni,ni->n", difference, difference)
    mean: NDArray[np.float64] = sums / float(np.prod(originals.shape[1:]))
    return mean


def psnr(mse: NDArray[np.float64]) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio in dB, ``(N,)``, from :func:`mse`; higher = closer, infinite when equal."""
    with np.errstate(divide="ignore"):
        decibels: NDArray[np.float64] = 10.0 * np.log10(_DATA_RANGE**2 / mse)
    return decibels


def ssim(originals: Batch, reconstructions: Batch, *, pause: Pause = go_on) -> NDArray[np.float64]:
    """Mean structural similarity of each pair, float64 ``(N,)``, -1..1; 1 = equal.

    The window is uniform, 7x7, and lies in the image; covariances are those of samples; the mean is over positions
    and channels. ``pause`` is called before each piece of some milliseconds.

    Raises:
        InvalidArray: the batches are not of one shape ``(N, H, W, 3)``.
        ImageTooSmall: a side is under 7 pixels.
    """
    _check(originals, reconstructions)
    _, height, width, channels = originals.shape
    if min(height, width) < SSIM_WINDOW:
        raise ImageTooSmall(f"expected sides of at least {SSIM_WINDOW} pixels, got {width}x{height}")
    sums = np.zeros(len(originals))
    for piece in _steps(originals.shape, overlap=SSIM_WINDOW - 1):
        pause()
        sums[piece[0]] += _ssim_map(originals[piece], reconstructions[piece]).sum(axis=(1, 2))
    positions = (height - SSIM_WINDOW + 1) * (width - SSIM_WINDOW + 1) * channels
    similarities: NDArray[np.float64] = sums / positions
    return similarities


@dataclass(frozen=True, slots=True)
class PixelMetrics:
    """The pixel metrics of N pairs, each ``(N,)``."""

    mse: NDArray[np.float64]
    psnr: NDArray[np.float64]
    ssim: NDArray[np.float64]
    lpips: NDArray[np.float64]
    """NaN where no network for it was given, or the network does not take the size."""
    resized: NDArray[np.bool_]
    """True where the reconstruction had another size and was resized to the original's."""


class SizedMetric(Protocol):
    """A metric of pairs of images of one size, such as LPIPS."""

    def takes(self, height: int, width: int) -> bool:
        """True for a size, in pixels, of which it gives values."""
        ...

    def distances(self, originals: NDArray[np.uint8], reconstructions: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Its values ``(N,)`` of two batches ``(N, H, W, 3)``."""
        ...


def pixel_metrics(
    originals: Sequence[RGBImage],
    reconstructions: Sequence[RGBImage],
    *,
    lpips: SizedMetric | None = None,
    pause: Pause = go_on,
) -> PixelMetrics:
    """MSE, PSNR and SSIM of N pairs of images of any sizes, and LPIPS where a network for it is given.

    A reconstruction of another size than its original is resized to it (bicubic), and ``resized`` says so. ``pause`` is
    called before each piece of some milliseconds.

    Raises:
        ImageTooSmall: a side of an original is under 7 pixels.
    """
    count = len(originals)
    squared, similarity, resized = np.empty(count), np.empty(count), np.zeros(count, dtype=np.bool_)
    perceptual = np.full(count, np.nan)
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index, original in enumerate(originals):
        by_shape.setdefault(original.shape, []).append(index)
        resized[index] = reconstructions[index].shape != original.shape
    for shape, indices in by_shape.items():
        images = max(1, _PIECE_VALUES // math.prod(shape))
        for start in range(0, len(indices), images):
            piece = indices[start : start + images]
            left = _stacked([originals[i] for i in piece])
            right = _stacked([resize(reconstructions[i], shape[0], shape[1]) for i in piece])
            squared[piece] = mse(left, right, pause=pause)
            similarity[piece] = ssim(left, right, pause=pause)
            if lpips is not None and lpips.takes(*shape[:2]):
                pause()
                perceptual[piece] = lpips.distances(left, right)
    return PixelMetrics(mse=squared, psnr=psnr(squared), ssim=similarity, lpips=perceptual, resized=resized)


def _stacked(images: Sequence[RGBImage]) -> NDArray[np.uint8]:
    """Images of one shape as a batch. One alone, which may be large, is not copied."""
    return images[0][None] if len(images) == 1 else np.stack(images)


def _check(originals: Batch, reconstructions: Batch) -> None:
    if originals.ndim != 4 or originals.shape != reconstructions.shape or originals.shape[3] != _CHANNELS:
        raise InvalidArray(
            f"expected two batches of one shape (N, H, W, 3), got {originals.shape} and {reconstructions.shape}"
        )


def _are_bytes(originals: Batch, reconstructions: Batch) -> bool:
    return bool(originals.dtype == reconstructions.dtype == np.uint8)


def _flat(images: NDArray[Any], kind: type[np.number[Any]]) -> _Values:
    """Images ``(N, H, W, 3)`` as ``(N, H * W * 3)`` of another type."""
    flat: _Values = images.reshape(len(images), -1).astype(kind)
    return flat


def _steps(shape: tuple[int, ...], overlap: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cut ``(N, H, W, 3)`` into bounded (images, rows, columns); neighbours share ``overlap`` rows or columns."""
    count, height, width, channels = shape
    columns = min(width, _STEP_COLUMNS)
    row_values = max(1, columns * channels)
    rows = min(height, max(overlap + 1, _STEP_VALUES // row_values))
    images = max(1, _STEP_VALUES // (rows * row_values))
    for first in range(0, count, images):
        for top in range(0, height - overlap, max(1, rows - overlap)):
            for left in range(0, width - overlap, max(1, columns - overlap)):
                yield slice(first, first + images), slice(top, top + rows), slice(left, left + columns)


def _window_sums(values: _Values, row: int) -> _Values:
    """Sums over 7x7 windows of flat images ``(N, H * row)``, as 7 = 4 + 2 + 1 along columns, then along rows.

    The result ``(N, (H - 6) * row - 18)`` has a sum for each value at which a window may begin. Windows that begin in
    the last six pixels of a row reach into the next row, and their sums mean nothing: one pass over all rows is faster
    than leaving them out.
    """
    two = values[:, :-row] + values[:, row:]
    four = two[:, : -2 * row] + two[:, 2 * row :]
    columns = four[:, : -3 * row]
    columns += two[:, 4 * row : -row]
    columns += values[:, 6 * row :]
    pixel = _CHANNELS
    two = columns[:, :-pixel] + columns[:, pixel:]
    four = two[:, : -2 * pixel] + two[:, 2 * pixel :]
    windows: _Values = four[:, : -3 * pixel]
    windows += two[:, 4 * pixel : -pixel]
    windows += columns[:, 6 * pixel :]
    return windows


def _ssim_map(originals: Batch, reconstructions: Batch) -> NDArray[np.float64]:
    """SSIM at every window position, ``(N, H - 6, (W - 6) * 3)``.

    A window has a = 49 values, and S is a sum over it: the mean of x is S(x) / a, its sample variance
    (a S(xx) - S(x)^2) / (a (a - 1)). Every factor is kept times a^2. The arithmetic works in place, since at this size
    fresh memory takes the time.
    """
    count, height, width, _ = originals.shape
    row = width * _CHANNELS
    area = float(SSIM_WINDOW**2)
    sample = area / (area - 1)
    # Sums of 49 values of 8 bits fit 16 bits, those of their products 32. Narrow numbers are faster.
    narrow, wide = (np.uint16, np.int32) if _are_bytes(originals, reconstructions) else (np.float64, np.float64)
    sums_x, sums_y = (
        _window_sums(_flat(images, narrow), row).astype(np.float64) for images in (originals, reconstructions)
    )
    x, y = _flat(originals, wide), _flat(reconstructions, wide)
    products, squares = x * y, x * x
    squares += y * y
    mean_products = sums_x * sums_y
    mean_squares = np.square(sums_x, out=sums_x)
    mean_squares += np.square(sums_y, out=sums_y)

    numerator = area * _window_sums(products, row)  # 2 covariance + C2
    numerator -= mean_products
    numerator *= 2 * sample
    numerator += _C2 * area**2
    mean_products *= 2  # 2 mean_x mean_y + C1
    mean_products += _C1 * area**2
    numerator *= mean_products

    denominator = area * _window_sums(squares, row)  # variance_x + variance_y + C2
    denominator -= mean_squares
    denominator *= sample
    denominator += _C2 * area**2
    mean_squares += _C1 * area**2  # mean_x^2 + mean_y^2 + C1
    denominator *= mean_squares

    numerator /= denominator
    value, per_image = numerator.itemsize, numerator.strides[0]
    valid = (count, height - SSIM_WINDOW + 1, (width - SSIM_WINDOW + 1) * _CHANNELS)
    return as_strided(numerator, valid, (per_image, row * value, value), writeable=False)
