"""Cases that broke a rule once, found by the fuzzer: kept, because they are rare."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semsim.exceptions import CorruptImage, EmptyImage, InvalidArray, InvalidImage, InvalidUpdate, TruncatedImage
from semsim.images import decode
from semsim_training.victims.tensor_files import read_tensor_file
from tests.fuzzing.files import WHOLE


def _no_height() -> bytes:
    """A lossy WebP whose frame says that it has no rows."""
    data = WHOLE["webp"]
    at = data.index(b"\x9d\x01\x2a") + 5
    return data[:at] + b"\0\0" + data[at + 2 :]


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/random"])
def test_no_file_of_tensors_is_refused_at_once(path: str) -> None:
    """A device that never ends took all memory."""
    with pytest.raises(InvalidUpdate, match="got no regular file"):
        read_tensor_file(Path(path), InvalidUpdate)


@pytest.mark.parametrize(
    ("source", "refusal"),
    [
        (b"\xff\xd8\xff" + b"\xff" * 2**20, TruncatedImage),
        (WHOLE["jpeg"][:-2] + b"\xff" * 2**20, TruncatedImage),
        (_no_height(), (CorruptImage, EmptyImage)),
        (np.ma.masked_array(np.zeros((8, 8, 3), [("r", "u1"), ("g", "u1")])), InvalidArray),
    ],
    ids=["fill bytes only", "fill bytes for the end", "a WebP of no height", "masked records"],
)
def test_sources_are_refused_at_once(source: Any, refusal: type[InvalidImage]) -> None:
    """A megabyte of fill bytes took hours; frames without rows and masked records ended in tracebacks."""
    begin = time.process_time()
    with pytest.raises(refusal, match="expected"):
        decode(source)
    assert time.process_time() - begin < 2
