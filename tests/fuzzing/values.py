"""Python values of any type, some of which are images."""

import io
import pathlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from PIL import Image

from tests.encoded import encode, picture

_TYPES = (
    *("u1", "u1", "u1", "?", "i1", "u2", ">u2", "i4", "f2", "f4", "f4", "f8", ">f8", "g", "c8"),
    *("O", "U3", "S3", "V4", "M8[s]", "m8[s]"),
)
_SHAPES = (
    *((12, 9, 3), (8, 8), (7, 7, 1), (9, 8, 4), (8, 8, 3), (6, 8, 3), (8, 8, 2), (8, 8, 3, 1), (3, 8, 8), (1, 3, 8, 8)),
    *((2, 3, 7, 7), (0, 8, 3), (8, 0, 3), (8, 8, 0), (0, 3, 8, 8), (1, 3, 0, 8), (), (0,), (192,)),
)
_TENSOR_TYPES = (
    *(torch.uint8, torch.uint8, torch.float32, torch.float32, torch.float64, torch.float16, torch.bfloat16),
    *(torch.int64, torch.bool, torch.complex64),
)
_NUMBERS = st.integers() | st.floats() | st.complex_numbers() | st.booleans()


def _reversed(array: np.ndarray) -> np.ndarray:
    return array[::-1]


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _with_nan(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind in "fc" and array.size:
        array.flat[0] = np.nan
    return array


def _wide(array: np.ndarray) -> np.ndarray:
    """The first element as an array of a million by a million: a small one in memory, and a bomb for who copies it."""
    return np.broadcast_to(array.reshape(-1)[:1], (10**6, 10**6)) if array.size else array


_LAYOUTS: tuple[Callable[[np.ndarray], Any], ...] = (
    *(np.asarray, np.asarray, np.asarray, np.asfortranarray, np.transpose, _reversed, _read_only, _with_nan, _wide),
    *(lambda array: np.repeat(array, 2, axis=0)[::2] if array.ndim else array, lambda array: array.view(np.recarray)),
    *(np.ma.masked_array, memoryview, lambda array: array.tolist(), lambda array: array.reshape(-1)[:1]),
    lambda array: np.lib.stride_tricks.as_strided(array, (8, 8, 3), (0, 0, 0)) if array.size else array,
)


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    """Arrays of any type, shape and layout, and views of them."""
    array = np.zeros(draw(st.sampled_from(_SHAPES)), dtype=np.dtype(draw(st.sampled_from(_TYPES))))
    if array.dtype.kind in "uif" and draw(st.booleans()):
        array[...] = draw(st.integers(0, 127))
    if draw(st.integers(0, 9)) == 0 and array.ndim:
        array = np.zeros(array.shape, dtype=[("r", "u1"), ("g", array.dtype)])
    layout = draw(st.sampled_from(_LAYOUTS))
    try:
        with np.errstate(over="ignore"):  # NumPy's own mask of records in half precision overflows
            return layout(array)
    except (ValueError, TypeError, IndexError, NotImplementedError):  # no such view of this type
        return array


@st.composite
def tensors(draw: st.DrawFn) -> Any:
    """Tensors of any type, shape and layout."""
    tensor = torch.zeros(draw(st.sampled_from(_SHAPES)), dtype=draw(st.sampled_from(_TENSOR_TYPES)))
    match draw(st.integers(0, 9)):
        case 0 if tensor.is_floating_point():
            return tensor.requires_grad_()
        case 1:
            return tensor.to_sparse() if tensor.ndim else tensor
        case 2:
            return tensor.to("meta")
        case 3 if tensor.ndim:
            return tensor.expand(2, *tensor.shape)
        case 4 if tensor.is_floating_point():
            return tensor.fill_(draw(st.sampled_from([float("nan"), float("inf"), 6e4, -3.0])))
        case 5 if tensor.is_complex():
            return tensor.conj()
        case 6 if tensor.dtype is torch.float32:
            return torch.quantize_per_tensor(tensor, 0.1, 0, torch.quint8)
        case 7 if tensor.is_floating_point():
            return torch.nn.Parameter(tensor)
        case _:
            return tensor


_PNG = encode(picture())
_PATHS = st.sampled_from(
    [
        "",
        ".",
        "/",
        "/dev/null",
        "/dev/zero",
        "/proc/self/mem",
        "no/such.png",
        "\0.png",
        "x" * 5000,
        "\udcff.png",
        "~",
        __file__,
    ]
)
_SIMPLE = st.none() | _NUMBERS | st.text(max_size=20) | st.binary(max_size=40) | st.dates() | _PATHS
_ENCODED = st.sampled_from(
    [_PNG, encode(picture(), "JPEG"), encode(picture(), "WEBP"), _PNG[:100], b"", b"\x89PNG\r\n\x1a\n"]
)
_OF_BYTES = st.sampled_from(
    [bytes, bytearray, memoryview, io.BytesIO, lambda data: memoryview(data)[::2], lambda data: data.decode("latin-1")]
)
_OBJECTS = st.sampled_from(
    [
        object,
        lambda: int,
        lambda: ...,
        lambda: Image.fromarray(picture()),
        lambda: Image.new("F", (8, 8)),
        lambda: (byte for byte in _PNG),
        lambda: iter([picture()]),
        lambda: {"image": _PNG},
        lambda: {_PNG},
        lambda: range(10),
        lambda: np.uint8(3),
        lambda: np.float32("nan"),
        lambda: pathlib.PurePosixPath("a.png"),
        lambda: lambda: _PNG,
        lambda: ValueError("x"),
        lambda: [picture(), picture()],
        lambda: [[0, 0, 0]] * 8,
    ]
)


@cache
def values() -> st.SearchStrategy[Any]:
    """Values of any type."""
    leaves = (
        _SIMPLE
        | arrays()
        | tensors()
        | st.builds(lambda make, data: make(data), _OF_BYTES, _ENCODED)
        | st.builds(pathlib.Path, _PATHS)
        | st.builds(lambda make: make(), _OBJECTS)
    )
    return (
        leaves
        | st.lists(leaves, max_size=3)
        | st.tuples(leaves, leaves)
        | st.dictionaries(st.text(max_size=3), leaves, max_size=2)
    )
