"""Files of tensors: safetensors, NumPy's .npz and PyTorch's own. Nothing in them is executed."""

import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from semsim.exceptions import SemSimError

_UNNAMED = re.compile(r"arr_(\d+)")
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
_FORMS = "a file of tensors (.safetensors, .npz, or PyTorch's of a state dict or a list)"
_REASONS = (
    ("Object arrays cannot be loaded", "an array of Python objects"),
    ("contains pickled (object) data", "no archive of arrays"),
    ("failed finding central directory", "a file that is cut or damaged"),
    ("file in archive is not in a subdirectory", "an archive of other files"),
    ("Weights only load failed", "something else"),
)
"""The long sentences of PyTorch and NumPy, which advise what executes a file, and what each means."""


def read_tensor_file(path: Path, refusal: type[SemSimError]) -> object:
    """The content of a file: a mapping or a list of tensors or arrays, or what else PyTorch's format holds.

    Raises:
        SemSimError: of the class ``refusal``: it cannot be read, or holds something that would have to be executed.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a device may never end, and a pipe never begin
            raise refusal(f"expected {_FORMS} at {path}, got no regular file")
        if path.suffix == ".safetensors":
            return load_file(path)
        if _is_numpy(path):
            with np.load(path, allow_pickle=False) as archive:
                return _named_or_listed({name: archive[name] for name in archive.files})
        with warnings.catch_warnings():  # that PyTorch checks sparse tensors is no news to who sends one
            warnings.filterwarnings("ignore", "Validating sparse tensor invariants", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except refusal:
        raise
    except OSError as error:
        raise refusal(f"expected {_FORMS} at {path}: {error.strerror or error}") from error
    except (SafetensorError, RuntimeError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise refusal(f"expected {_FORMS} at {path}, got {_reason(error)}") from error
    except pickle.UnpicklingError as error:
        kind = _GLOBAL.search(str(error))
        got = f"an object {kind[1]}, which is code to execute" if kind else _reason(error)
        if got.startswith("an object numpy"):
            got += " (arrays of NumPy belong into .npz)"
        raise refusal(f"expected {_FORMS} at {path}, got {got}") from error
    except Exception as error:  # unpickling raises what the file likes
        raise refusal(f"expected {_FORMS} at {path}, got something else: {type(error).__name__}") from error


def _is_numpy(path: Path) -> bool:
    """True for an archive of arrays, whatever its name is.

    Raises:
        ValueError: the file is empty or cut, or holds a single array without a name, or something else.
    """
    with path.open("rb") as file:
        head = file.read(6)
    if not head:
        raise ValueError("an empty file")
    if head == b"\x93NUMPY":
        raise ValueError("a single array, without a name (.npy)")
    if not zipfile.is_zipfile(path):
        if head.startswith(b"PK"):
            raise ValueError("a file that is cut or damaged")
        return path.suffix == ".npz"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    # numpy.load gives a member that is no array as bytes.
    if names and all(name.endswith(".npy") for name in names):
        return True
    if path.suffix == ".npz" and names:
        raise ValueError(f"an archive of other files, such as {names[0][:40]}")
    return path.suffix == ".npz"


def _reason(error: Exception) -> str:
    """The meaning of an error, or the beginning of its message in one line."""
    text = " ".join(str(error).split())
    return next((meaning for words, meaning in _REASONS if words in text), text[:120] or type(error).__name__)


def _named_or_listed(arrays: dict[str, NDArray[Any]]) -> object:
    """The arrays as a list where ``numpy.savez`` had no names for them."""
    numbers = {int(match[1]): name for name in arrays if (match := _UNNAMED.fullmatch(name))}
    if len(numbers) < len(arrays) or sorted(numbers) != list(range(len(arrays))):
        return arrays
    return [arrays[numbers[number]] for number in range(len(arrays))]
