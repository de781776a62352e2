"""A recogniser's probabilities and files."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from semsim.exceptions import InvalidCheckpoint
from semsim_training.recognition.recogniser import load_recogniser


def test_probabilities_do_not_hang_on_the_batch(trained: Path) -> None:
    """The probabilities are the same one image at a time or all at once, mirrored or not."""
    recogniser = load_recogniser(trained / "small-0.safetensors")
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    together = recogniser.probabilities(images)
    np.testing.assert_allclose(recogniser.probabilities(images, batch_size=1), together, atol=1e-5)
    np.testing.assert_allclose(recogniser.probabilities(images[:, :, ::-1]), together, atol=1e-5)
    np.testing.assert_allclose(together.sum(1), 1)


def test_damaged_weights_are_refused(trained: Path, tmp_path: Path) -> None:
    """A file that holds no weights is refused."""
    shutil.copy(trained / "small-0.json", tmp_path)
    (tmp_path / "small-0.safetensors").write_bytes(b"no")
    with pytest.raises(InvalidCheckpoint, match="expected a recogniser's weights"):
        load_recogniser(tmp_path / "small-0.safetensors")
