"""LPIPS against a plain loop, and its properties."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from semsim.exceptions import ImageTooSmall, InvalidArray, InvalidCheckpoint
from semsim_training.reference_metrics.lpips import InputRange, Lpips
from tests.training.reference_metrics.weights import random_weights

CONVOLUTIONS = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}  # index: stride, padding
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 32, 37, 3), dtype=np.uint8)
OTHERS = RNG.integers(0, 256, (3, 32, 37, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of random weights of the right shapes."""
    return random_weights(tmp_path_factory.mktemp("lpips") / "weights.safetensors")


def plain(weights: Path, first: np.ndarray, second: np.ndarray, low: float) -> float:
    """LPIPS position by position in float64; level 0 becomes ``low``, 255 becomes 1."""
    state = {name: value.double().numpy() for name, value in load_file(weights).items()}

    def features(image: np.ndarray) -> list[np.ndarray]:
        maps = (low + image / 255 * (1 - low) - np.array([-0.030, -0.088, -0.188])) / np.array([0.458, 0.448, 0.450])
        outputs = []
        for index, (stride, padding) in CONVOLUTIONS.items():
            if index in (3, 6):
                maps = slide(maps, 3, 2, lambda window: window.max(axis=(0, 1)))
            kernel = state[f"features.{index}.weight"].transpose(2, 3, 1, 0)
            padded = np.pad(maps, ((padding, padding), (padding, padding), (0, 0)))
            bias = state[f"features.{index}.bias"]
            maps = slide(padded, len(kernel), stride, lambda window: np.tensordot(window, kernel, 3) + bias)  # noqa: B023
            maps = np.maximum(maps, 0)
            outputs.append(maps)
        return outputs

    total = 0.0
    for layer, (left, right) in enumerate(zip(features(first), features(second), strict=True)):
        head = state[f"heads.lin{layer}.model.1.weight"].ravel()
        sums = [
            (head * (a / np.linalg.norm(a) - b / np.linalg.norm(b)) ** 2).sum()
            for a, b in zip(left.reshape(-1, len(head)), right.reshape(-1, len(head)), strict=True)
        ]
        total += float(np.mean(sums))
    return total


def slide(maps: np.ndarray, side: int, stride: int, take: object) -> np.ndarray:
    """The values of ``take`` on windows of ``side`` over ``(H, W, C)``, at valid positions."""
    rows, columns = ((length - side) // stride + 1 for length in maps.shape[:2])
    return np.array(
        [
            [
                take(maps[row * stride : row * stride + side, column * stride : column * stride + side])
                for column in range(columns)
            ]
            for row in range(rows)
        ]
    )


@pytest.mark.parametrize(("input_range", "low"), [(InputRange.PUBLISHED, -1.0), (InputRange.UNIT, 0.0)])
def test_lpips_is_the_plain_loop(weights: Path, input_range: InputRange, low: float) -> None:
    """Both input ranges give the same as the loop, on images that are not square, to float32's precision."""
    distances = Lpips(weights, input_range).distances(IMAGES, OTHERS)
    expected = [plain(weights, first, second, low) for first, second in zip(IMAGES, OTHERS, strict=True)]
    assert distances == pytest.approx(expected, rel=1e-4)


def test_the_published_weights_are_the_plain_loop(data: Path) -> None:
    """The real weights load, and give what the loop gives; noise is further away than a little noise."""
    path = data.parent / "weights" / "lpips_alexnet.safetensors"
    if not path.exists():
        pytest.skip(f"needs the LPIPS weights at {path}")
    near = np.clip(IMAGES.astype(int) + RNG.integers(-9, 10, IMAGES.shape), 0, 255).astype(np.uint8)
    network = Lpips(path)
    distances = network.distances(IMAGES, OTHERS)
    assert distances[0] == pytest.approx(plain(path, IMAGES[0], OTHERS[0], -1.0), rel=1e-4)
    assert (network.distances(IMAGES, near) < distances).all()


def test_equal_images_are_at_0_and_order_does_not_matter(weights: Path) -> None:
    """d(x, x) = 0; d(x, y) = d(y, x); a pair scores the same in any batch."""
    network = Lpips(weights)
    assert network.distances(IMAGES, IMAGES).tolist() == [0.0] * 3
    distances = network.distances(IMAGES, OTHERS)
    assert (distances > 0).all()
    assert network.distances(OTHERS, IMAGES) == pytest.approx(distances, rel=1e-6)
    many = network.distances(np.tile(IMAGES, (12, 1, 1, 1)), np.tile(OTHERS, (12, 1, 1, 1)))
    assert many == pytest.approx(np.tile(distances, 12), rel=1e-5)
    assert network.distances(IMAGES[:0], OTHERS[:0]).shape == (0,)


def test_images_that_will_not_do_are_refused(weights: Path) -> None:
    """A side under 31 pixels and batches of two shapes are refused."""
    network = Lpips(weights)
    network.distances(IMAGES[:, :31, :31], OTHERS[:, :31, :31])
    with pytest.raises(ImageTooSmall, match="at least 31 pixels for LPIPS, got 37x30"):
        network.distances(IMAGES[:, :30], OTHERS[:, :30])
    with pytest.raises(InvalidArray, match="two batches of one shape"):
        network.distances(IMAGES, OTHERS[:, :, :32])


def test_weights_that_will_not_do_are_refused(weights: Path, tmp_path: Path) -> None:
    """A missing file and a missing head are refused."""
    with pytest.raises(InvalidCheckpoint, match="expected a safetensors file at"):
        Lpips(tmp_path / "none.safetensors")
    state = load_file(weights)
    del state["heads.lin3.model.1.weight"]
    save_file(state, tmp_path / "short.safetensors")
    with pytest.raises(InvalidCheckpoint, match=r"heads.lin3.model.1.weight of shape \(1, 256, 1, 1\) .* got nothing"):
        Lpips(tmp_path / "short.safetensors")
