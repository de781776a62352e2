"""Generators are trained, kept in files and chosen by attacks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from semsim.exceptions import InvalidConfiguration, InvalidOption, InvalidUpdate
from semsim.pixel_metrics import mse, psnr
from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.choice import AttackChoice
from semsim_training.attacks.generative.generator_file import GeneratorDescription, load_generator, save_generator
from semsim_training.attacks.generative.generator_training import GeneratorTraining, train_generator
from semsim_training.attacks.generative.image_generator import ImageGenerator
from semsim_training.attacks.search import Search
from semsim_training.client_images.png import encode_png
from semsim_training.defenses.defense import Defense
from semsim_training.observations.client_side import Protocol
from semsim_training.reconstructions.grid import Grid
from semsim_training.reconstructions.plan import digest
from semsim_training.subcommands.attack_command import app
from tests.training.small import observations, smooth_images, victim

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> GeneratorTraining:
    """A training on 256 smooth images of 16 pixels."""
    folder = tmp_path_factory.mktemp("images")
    for name in ("one", "other"):
        (folder / name).mkdir()
    for index, image in enumerate(smooth_images(256, 16, seed=1)):
        (folder / ("one", "other")[index % 2] / f"{index:03}.png").write_bytes(encode_png(image))
    images = {"folder": folder, "name": "smooth", "size": 16}
    return GeneratorTraining.model_validate(
        {"images": images, "code": 32, "width": 16, "epochs": 60, "batch_size": 32, "learning_rate": 6e-3}
    )


@pytest.fixture(scope="module")
def trained(training: GeneratorTraining, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the trained generator."""
    path = tmp_path_factory.mktemp("generators") / "smooth.safetensors"
    train_generator(training, path)
    return path


def test_a_trained_generator_makes_what_it_learned_from(trained: Path) -> None:
    """Its images of codes are near the images, and images of normal codes are as bright."""
    description = GeneratorDescription.read(trained.with_suffix(".json"))
    assert (description.images, description.dataset, description.code) == (256, "smooth", 32)
    assert description.psnr > 18
    made = load_generator(trained)(torch.randn(64, 32, generator=torch.Generator().manual_seed(0)))
    assert made.shape == (64, 3, 16, 16)
    assert abs(float(made.mean()) * 255 - smooth_images(256, 16, seed=1).mean()) < 15


def test_an_interrupted_training_ends_alike(training: GeneratorTraining, tmp_path: Path) -> None:
    """A run that stopped within its second epoch goes on after the first, to the same weights."""
    short = training.model_copy(update={"epochs": 2})

    class Interrupted(Exception):
        pass

    def interrupt(what: str, done: int, total: int) -> None:
        if what == "epoch 2":
            raise Interrupted

    with pytest.raises(Interrupted):
        train_generator(short, tmp_path / "parts.safetensors", progress=interrupt)
    train_generator(short, tmp_path / "parts.safetensors")
    train_generator(short, tmp_path / "whole.safetensors")
    assert (tmp_path / "parts.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert not (tmp_path / "parts.state.safetensors").exists()


def test_ggl_finds_images_that_the_generator_never_saw(trained: Path) -> None:
    """After 150 iterations on a clipped and pruned update, images are 2 dB nearer than grey is."""
    protocol = Protocol(defense=Defense("prune:0.5+clip:1.0"))
    seen = observations(victim("lenet", size=16), 3, protocol=protocol)
    recipe = AttackChoice(preset="ggl", generator=trained, iterations=150).resolve()
    assert isinstance(recipe, AttackRecipe)
    results = Search(recipe, seen, range(3)).run()
    values = psnr(mse(smooth_images(3, 16), np.concatenate([result.images for result in results])))
    grey = psnr(mse(smooth_images(3, 16), np.full((3, 16, 16, 3), 127, dtype=np.uint8)))
    assert (values - grey).mean() > 2


def test_generators_are_chosen_where_they_belong(trained: Path, tmp_path: Path) -> None:
    """Without a generator, with one for another attack, with one of other images and with a missing one: refused."""
    with pytest.raises(InvalidConfiguration, match="expected a generator of images for the attack ggl, got none"):
        AttackChoice(preset="ggl").resolve()
    with pytest.raises(InvalidConfiguration, match="expected no generator for the attack smooth"):
        AttackChoice(preset="smooth", generator=trained).resolve()
    with pytest.raises(InvalidConfiguration, match="expected no options for closed-form"):
        AttackChoice(preset="closed-form", generator=trained).resolve()
    with pytest.raises(InvalidConfiguration, match="expected a generator's description"):
        AttackChoice(preset="ggl", generator=tmp_path / "none.safetensors").resolve()
    with pytest.raises(InvalidConfiguration, match="expected a size of 16, 32, 64 or 128 pixels"):
        ImageGenerator(8, 8, 24)
    choice = AttackChoice(preset="ggl", generator=trained)
    assert choice.label == "ggl smooth"
    with pytest.raises(InvalidUpdate, match=r"expected a generator of images \(3, 32, 32\), got one of \(3, 16, 16\)"):
        choice.resolve().check(observations(victim("lenet"), 1)[0])  # type: ignore[union-attr]


def test_a_set_of_another_generator_is_another_set(trained: Path, tmp_path: Path) -> None:
    """The hash of a grid, with which a set that was begun must agree, hangs on the generator's weights."""
    place = tmp_path / "any.safetensors"
    for kept in (trained, trained.with_suffix(".json")):
        place.with_suffix(kept.suffix).write_bytes(kept.read_bytes())
    images = {"folder": tmp_path, "size": 16, "count": 1}
    setting = {"images": "any", "victim": "lenet", "attack": {"preset": "ggl", "generator": str(place)}}
    victims = {"lenet": {"network": {"architecture": "lenet", "classes": 2, "size": 16}}}
    described = {"name": "any", "images": {"any": images}, "victims": victims, "settings": [setting]}
    before = digest(Grid.model_validate(described))
    assert digest(Grid.model_validate(described)) == before
    generator = load_generator(trained)
    generator.layers[0].bias.mul_(2)  # type: ignore[operator]
    save_generator(generator, GeneratorDescription.read(trained.with_suffix(".json")), place)
    assert digest(Grid.model_validate(described)) != before


def test_the_command_trains_a_generator(training: GeneratorTraining, tmp_path: Path) -> None:
    """It refuses a file of another kind, trains, and leaves a file that is there as it is."""
    config, out = tmp_path / "training.yaml", tmp_path / "made" / "any.safetensors"
    config.write_text(training.model_copy(update={"epochs": 1}).model_dump_json())
    with pytest.raises(InvalidOption, match=r"expected a file \.safetensors for the generator"):
        CliRunner().invoke(app, ["train-generator", str(config), str(tmp_path / "any.pt")], catch_exceptions=False)
    for said in (r"256 images of smooth", "there already"):
        done = CliRunner().invoke(app, ["train-generator", str(config), str(out)], catch_exceptions=False)
        assert said in done.output
    assert load_generator(out).size == 16
