"""Defenses on an update, and augmentation policies on the client's image."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from semsim.exceptions import InvalidConfiguration
from semsim_training.client_images.mode import Mode
from semsim_training.client_images.policies import OPERATIONS, Policies
from semsim_training.defenses.defense import VALUES, Defense, WrittenDefense
from semsim_training.defenses.rules import defend
from tests.training.small import smooth_images

UPDATE = {
    "a": torch.randn(40, 25, generator=torch.Generator().manual_seed(0)),
    "b": torch.randn(500, generator=torch.Generator().manual_seed(1)) * 10,
}


def flat(update: dict[str, torch.Tensor]) -> torch.Tensor:
    """All entries."""
    return torch.cat([value.flatten() for value in update.values()])


def test_noise_has_its_scale_and_hangs_on_the_seed() -> None:
    """Gaussian noise has its standard deviation, Laplace noise sqrt(2) times its scale."""
    for text, deviation in (("gaussian:0.5", 0.5), ("laplace:0.5", 0.5 * 2**0.5)):
        noisy = defend(UPDATE, Defense(text), 3)
        assert float((flat(noisy) - flat(UPDATE)).std()) == pytest.approx(deviation, rel=0.1)
        assert torch.equal(flat(noisy), flat(defend(UPDATE, Defense(text), 3)))
        assert not torch.equal(flat(noisy), flat(defend(UPDATE, Defense(text), 4)))


def test_pruning_is_a_tensor_each_and_top_k_over_all() -> None:
    """prune:0.7 zeroes 70% of each tensor; top-k:0.1 keeps the largest tenth of all entries."""
    pruned = defend(UPDATE, Defense("prune:0.7"), 0)
    for name, value in pruned.items():
        assert int((value == 0).sum()) == round(0.7 * value.numel())
        kept = value != 0
        assert float(UPDATE[name][kept].abs().min()) >= float(UPDATE[name][~kept].abs().max())
    top = defend(UPDATE, Defense("top-k:0.1"), 0)
    assert int((flat(top) != 0).sum()) == 150
    assert int((top["b"] != 0).sum()) > 140


def test_signs_clipping_and_dp() -> None:
    """Signs, a norm for clip, both steps in turn for dp; composition runs left to right."""
    assert torch.equal(flat(defend(UPDATE, Defense("sign"), 0)), flat(UPDATE).sign())
    assert float(flat(defend(UPDATE, Defense("clip:2"), 0)).norm()) == pytest.approx(2, rel=1e-5)
    assert torch.equal(flat(defend(UPDATE, Defense("clip:1e9"), 0)), flat(UPDATE))
    composed = defend(UPDATE, Defense("clip:2+gaussian:1"), 5)
    assert torch.equal(flat(defend(UPDATE, Defense("dp:2:0.5"), 5)), flat(composed))
    assert torch.equal(flat(defend(UPDATE, Defense("none"), 0)), flat(UPDATE))


@pytest.mark.parametrize("name", VALUES)
def test_every_defense_gives_an_update(name: str) -> None:
    """Each single defense keeps names, shapes, types and finite numbers, and leaves the client's tensors alone."""
    before = {key: value.clone() for key, value in UPDATE.items()}
    defended = defend(UPDATE, Defense(f"{name}:0.5" if VALUES[name].written else name), 0)
    assert {key: (value.shape, value.dtype) for key, value in defended.items()} == {
        key: (value.shape, value.dtype) for key, value in UPDATE.items()
    }
    assert flat(defended).isfinite().all()
    assert not torch.equal(flat(defended), flat(UPDATE))
    assert all(torch.equal(before[key], value) for key, value in UPDATE.items())


@pytest.mark.parametrize(
    "text", ["blur", "gaussian", "gaussian:-1", "gaussian:nan", "prune:1", "top-k:0", "sign:1", "dp:1", "clip:x", ""]
)
def test_refuses_what_is_no_defense(text: str) -> None:
    """Unknown names, missing and impossible values are named."""
    with pytest.raises(InvalidConfiguration, match="expected"):
        Defense(text)


def test_a_function_is_a_defense_but_no_text() -> None:
    """A function is called with its value and seeded numbers; a configuration cannot hold it."""

    def shrunk(update: Mapping[str, torch.Tensor], value: float, rng: torch.Generator) -> dict[str, torch.Tensor]:
        return {name: value * tensor * torch.rand(1, generator=rng) for name, tensor in update.items()}

    defense = Defense(shrunk, 0.5)
    assert str(defense) == "shrunk:0.5"
    assert defense == Defense(shrunk, 0.5) != Defense(shrunk, 0.25)
    assert torch.equal(flat(defend(UPDATE, defense, 1)), flat(defend(UPDATE, defense, 1)))
    assert not torch.equal(flat(defend(UPDATE, defense, 1)), flat(defend(UPDATE, defense, 2)))
    with pytest.raises(InvalidConfiguration, match=r"expected the tensors a, b from the defense <lambda>, got no tens"):
        defend(UPDATE, Defense(lambda update, value, rng: {}), 0)
    with pytest.raises(InvalidConfiguration, match="expected a defense that can be written down, got the function shr"):
        TypeAdapter(WrittenDefense).validate_python(defense)


def test_every_policy_operation_changes_an_image_or_has_no_strength() -> None:
    """All 50 operations run; those of magnitude 0 may leave an image alone."""
    image = smooth_images(1)[0]
    for index, (name, magnitude) in enumerate(OPERATIONS):
        changed = Policies.parse(str(index)).apply(image, np.random.default_rng(0))
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        if magnitude and name != "autocontrast":
            assert not np.array_equal(changed, image), (index, name)


def test_the_papers_policies() -> None:
    """3-1-7 is translateX 9, contrast 6, translateY 2; 43-18-18 is translateY 3 and contrast 7 twice."""
    assert [OPERATIONS[i] for i in (3, 1, 7)] == [("translateX", 9), ("contrast", 6), ("translateY", 2)]
    assert [OPERATIONS[i] for i in (43, 18, 18)] == [("translateY", 3), ("contrast", 7), ("contrast", 7)]
    both = Policies.parse("3-1-7+43-18-18")
    assert both.operations == ((3, 1, 7), (43, 18, 18))
    images = smooth_images(4)
    assert np.array_equal(Mode("crop").share(images, np.random.default_rng(0)), images)
    assert not np.array_equal(Mode("3-1-7").share(images, np.random.default_rng(0)), images)
    for text in ("3-1-50", "a", ""):
        with pytest.raises(InvalidConfiguration, match=r"indices 0\.\.49"):
            Policies.parse(text)


def test_policies_of_grey_images() -> None:
    """One channel is changed as three equal ones are; images of four channels are refused."""
    grey, both = smooth_images(1)[..., :1], Policies.parse("3-1-7+43-18-18+20-6-11")
    for seed in range(6):
        one, three = (both.apply(x[0], np.random.default_rng(seed)) for x in (grey, np.repeat(grey, 3, axis=3)))
        assert np.array_equal(one, three[:, :, :1])
    with pytest.raises(InvalidConfiguration, match="expected images of 1 or 3 channels for policies, got 4"):
        both.apply(np.zeros((16, 16, 4), np.uint8), np.random.default_rng(0))
