"""Images are read from folders, archives and published data sets."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semsim.exceptions import InvalidDataset
from semsim_training.client_images.labelled import LabelledImages
from semsim_training.client_images.published import PUBLISHED
from semsim_training.client_images.source import ImageSource
from tests.training.small import smooth_images


def test_the_archive_of_cifar100(data: Path) -> None:
    """The lossless part of CIFAR-100 loads with its labels, whose classes are counted."""
    loaded = ImageSource(archive=data / "cifar100_partial.npz", split="test", size=32).load()
    assert loaded.images.shape == (916, 32, 32, 3)
    assert len(loaded.classes) == 100
    assert loaded.name == "cifar100_partial/test"


def test_classes_of_an_archive_are_named_by_the_configuration(data: Path) -> None:
    """Names stand for the archive's labels; too few of them are refused, and so are names for a folder."""
    archive, names = data / "cifar100_partial.npz", tuple(f"class {number}" for number in range(100))
    named = ImageSource(archive=archive, split="test", size=32, class_names=names).load()
    assert named.classes == names
    with pytest.raises(InvalidDataset, match="expected labels below 3, the named classes, got 99"):
        ImageSource(archive=archive, split="test", size=32, class_names=names[:3]).load()
    with pytest.raises(ValueError, match="expected class_names with an archive alone"):
        ImageSource(folder=data, size=32, class_names=names)


def test_archives_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing files, other arrays and other types are named."""
    with pytest.raises(InvalidDataset, match="expected arrays train_images and train_labels"):
        ImageSource(archive=tmp_path / "none.npz", size=32).load()
    np.savez(tmp_path / "wrong.npz", train_images=np.zeros((2, 8, 8)), train_labels=np.zeros(2))
    with pytest.raises(InvalidDataset, match=r"expected uint8 images .* got float64 \(2, 8, 8\)"):
        ImageSource(archive=tmp_path / "wrong.npz", size=32).load()


def test_published_data_that_is_not_there(tmp_path: Path) -> None:
    """An error names a data set that is neither on disk nor to be downloaded, and one that nobody published."""
    with pytest.raises(InvalidDataset, match="expected the data set CIFAR100 below"):
        ImageSource(published="CIFAR100", root=tmp_path, size=32).load()
    with pytest.raises(InvalidDataset, match="expected one of CIFAR10, CIFAR100"):
        ImageSource(published="MNIST", root=tmp_path, size=32).load()


def test_digits_need_no_files() -> None:
    """scikit-learn's digits are published images, too: grey, with a share for testing."""
    digits = ImageSource(published="digits", size=16, split="test", test_share=0.2).load()
    assert digits.images.shape[1:] == (16, 16, 3)
    assert digits.classes == tuple("0123456789")
    assert 0.15 < len(digits) / 1797 < 0.25
    assert (digits.images == digits.images[..., :1]).all()


def test_images_by_name_are_those_of_the_whole(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of source gives the named images alone as it gives them among all; names that it lacks are left out."""
    photographs = [(Image.fromarray(image), label % 3) for label, image in enumerate(smooth_images(6, 40))]
    for index, (image, label) in enumerate(photographs):
        (tmp_path / "folder" / str(label)).mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "folder" / str(label) / f"{index}.png")
    monkeypatch.setitem(PUBLISHED, "CIFAR10", lambda *_: photographs)
    for source in (
        ImageSource(folder=tmp_path / "folder", size=32),
        ImageSource(archive=data / "cifar100_partial.npz", split="test", size=16),
        ImageSource(published="CIFAR10", root=tmp_path, split="test", size=32),
    ):
        whole = source.load()
        assert source.dataset == whole.name
        chosen = [1, len(whole) - 1]
        named = source.named([*(whole.identifiers[index] for index in chosen), "test/99999"])
        assert list(named) == [whole.identifiers[index] for index in chosen]
        for index, image in zip(chosen, named.values(), strict=True):
            assert np.array_equal(image, whole.images[index])


def test_one_kind_of_source() -> None:
    """A source is of exactly one kind."""
    for kinds in ({}, {"folder": "a", "published": "b"}):
        with pytest.raises(ValueError, match="expected one of folder, archive and published"):
            ImageSource.model_validate({"size": 32} | kinds)


def test_spread_is_even_and_hangs_on_names_only() -> None:
    """Chosen images are as even over classes as can be, and do not depend on the order they come in."""
    labels = np.array([0] * 20 + [1] * 5 + [2] * 15)
    names = tuple(f"{index}.png" for index in range(40))
    whole = LabelledImages("x", smooth_images(40, 16), labels, ("a", "b", "c"), names)
    chosen = whole.spread(18, seed=0)
    assert np.bincount(chosen.labels).tolist() == [7, 5, 6] or np.bincount(chosen.labels).tolist() == [6, 5, 7]
    order = np.random.default_rng(0).permutation(40)
    assert set(whole.take(order).spread(18, seed=0).identifiers) == set(chosen.identifiers)
    assert set(whole.spread(18, seed=1).identifiers) != set(chosen.identifiers)
    assert len(set(whole.spread(10, seed=0, classes=2).labels.tolist())) == 2
    assert set(whole.spread(10, seed=0, classes=["b", "c"]).labels.tolist()) == {1, 2}
    with pytest.raises(InvalidDataset, match="expected the class d in x, got a, b, c"):
        whole.spread(10, seed=0, classes=["d"])
