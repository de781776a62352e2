"""The way from normalised tensors to images."""

import numpy as np
import pytest

from semsim.exceptions import InvalidTensor
from semsim.images import images_from_tensor
from tests.encoded import picture

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize("scale", [1.0, 255.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normalising_and_back_is_exact(scale: float, dtype: type) -> None:
    """Every 8-bit level survives normalisation, in either range."""
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    mean, std = np.array(MEAN) * scale, np.array(STD) * scale
    tensor = ((levels / 255.0 * scale - mean) / std).transpose(0, 3, 1, 2).astype(dtype)
    np.testing.assert_array_equal(
        images_from_tensor(tensor, mean=tuple(mean), std=tuple(std), value_range=(0.0, scale)), levels
    )


def test_overshoot_is_clipped() -> None:
    """Values outside the range become black and white."""
    tensor = np.array([-3.0, 4.0]).reshape(1, 1, 1, 2).repeat(3, axis=1)
    images = images_from_tensor(tensor, mean=(0, 0, 0), std=(1, 1, 1), value_range=(0.0, 1.0))
    assert images[0, 0, :, 0].tolist() == [0, 255]


def test_a_symmetric_range_is_honoured() -> None:
    """The range -1..1 maps to 0..255."""
    tensor = np.array([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3).repeat(3, axis=1)
    images = images_from_tensor(tensor, mean=(0, 0, 0), std=(1, 1, 1), value_range=(-1.0, 1.0))
    assert images[0, 0, :, 0].tolist() == [0, 128, 255]


def test_torch_tensors_are_taken() -> None:
    """A torch tensor on the CPU works as an array does."""
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(picture().transpose(2, 0, 1)[None] / 255.0)
    images = images_from_tensor(tensor, mean=(0, 0, 0), std=(1, 1, 1), value_range=(0.0, 1.0))
    np.testing.assert_array_equal(images[0], picture())


def test_tensors_of_attacks_are_taken_as_they_are() -> None:
    """A tensor that needs a gradient, and those of half precision, which NumPy may lack, make images, too."""
    torch = pytest.importorskip("torch")
    levels = torch.from_numpy(picture().transpose(2, 0, 1)[None] / 255.0)
    for tensor in (levels.float().requires_grad_(), levels.bfloat16(), levels.half()):
        made = images_from_tensor(tensor, mean=(0, 0, 0), std=(1, 1, 1), value_range=(0.0, 1.0))
        assert np.abs(made[0].astype(int) - picture()).max() <= 1


def test_one_channel_becomes_three() -> None:
    """A grey tensor, as of MNIST, has one mean and one std, and makes grey images."""
    grey = picture()[None, None, :, :, 0]
    made = images_from_tensor((grey / 255.0 - 0.1307) / 0.3081, mean=(0.1307,), std=(0.3081,), value_range=(0.0, 1.0))
    np.testing.assert_array_equal(made, np.repeat(grey[0, 0, None, :, :, None], 3, axis=3))
    with pytest.raises(InvalidTensor, match="expected 1 finite numbers for mean"):
        images_from_tensor(grey / 255.0, mean=MEAN, std=STD, value_range=(0.0, 1.0))


def test_tensors_that_numpy_cannot_view_are_refused() -> None:
    """A sparse tensor and one without values are refused with what to call on it."""
    torch = pytest.importorskip("torch")
    zeros = torch.zeros(1, 3, 8, 8)
    for tensor in (zeros.to_sparse(), zeros.to("meta"), zeros.bfloat16().expand(10**9, 3, 8, 8)):
        with pytest.raises(InvalidTensor, match=r"expected .*detach\(\)\.float\(\)\.cpu\(\), got Tensor"):
            images_from_tensor(tensor, mean=MEAN, std=STD, value_range=(0.0, 1.0))


@pytest.mark.parametrize(
    "changes",
    [
        {"tensor": np.zeros((3, 4, 4))},
        {"tensor": np.zeros((1, 4, 4, 3))},
        {"tensor": np.zeros((1, 3, 0, 4))},
        {"tensor": np.zeros((1, 3, 4, 4), dtype=np.uint8)},
        {"tensor": np.full((1, 3, 4, 4), np.nan)},
        {"mean": (0.0, 0.0)},
        {"mean": (0.0, 0.0, np.inf)},
        {"std": (1.0, 0.0, 1.0)},
        {"value_range": (1.0, 0.0)},
        {"value_range": (0.0, np.inf)},
        {"value_range": (-1e308, 1e308)},
        {"value_range": (0.0, 0.5, 1.0)},
        {"value_range": None},
        {"mean": 0.5},
        {"std": "1.0"},
        {"std": (1.0, 1.0, 1j)},
        {"tensor": [[1.0], [1.0, 2.0]]},
        {"tensor": np.full((1, 3, 4, 4), 1e308), "value_range": (0.0, 0.1)},
        {"tensor": np.full((1, 3, 4, 4), np.longdouble("1e4000"))},
        {"mean": np.full(3, np.longdouble("1e4000"))},
        {"std": (1e308, 1e308, 1e308), "tensor": np.full((1, 3, 4, 4), 1e30)},
        {"value_range": (0.0, 5e-324)},
        {"tensor": np.broadcast_to(np.float32(0), (1, 3, 10**6, 10**6))},
        {"tensor": [[np.broadcast_to(np.zeros(1, [("r", "u1"), ("g", "c8")]), (10**6, 10**6))]]},
        {"mean": [np.broadcast_to(np.uint8(0), (10**6, 10**6))] * 3},
        {"tensor": np.broadcast_to(np.float32(0), (10**15, 3, 8, 8))},
    ],
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_what_cannot_be_images_is_refused(changes: dict[str, object]) -> None:
    """Wrong or immense shapes, types, statistics, ranges, NaN and overflows are refused with what was expected."""
    arguments = {"tensor": np.zeros((1, 3, 4, 4)), "mean": MEAN, "std": STD, "value_range": (0.0, 1.0)} | changes
    with pytest.raises(InvalidTensor, match="expected"):
        images_from_tensor(arguments.pop("tensor"), **arguments)  # type: ignore[arg-type]


def test_a_view_without_end_is_refused_before_it_is_converted() -> None:
    """One image that is repeated 10^9 times is too many values; many images are converted in parts, and equal."""
    one = np.zeros((1, 3, 8, 8), dtype=np.float32)
    with pytest.raises(InvalidTensor, match="at once"):
        images_from_tensor(np.broadcast_to(one, (10**9, 3, 8, 8)), mean=[0] * 3, std=[1] * 3, value_range=(0, 1))
    many = np.random.default_rng(0).random((3, 3, 900, 1000), dtype=np.float32)
    made = images_from_tensor(many, mean=[0] * 3, std=[1] * 3, value_range=(0, 1))
    np.testing.assert_array_equal(made, np.rint(many.astype(np.float64) * 255.0).astype(np.uint8).transpose(0, 2, 3, 1))
