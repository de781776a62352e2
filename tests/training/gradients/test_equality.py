"""Many clients in one graph against a plain loop with PyTorch's own double backward."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.candidate_evaluation import Evaluation
from semsim_training.attacks.objectives import Cosine, Euclidean, Manhattan, PerOutputCosine
from semsim_training.attacks.presets import preset
from semsim_training.client_images.normalisation import normalise
from semsim_training.gradients.local_steps import LocalStepDeltas
from semsim_training.gradients.shared_weights import SharedWeightGradients
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.client_side import Protocol
from semsim_training.observations.observation import Observation
from tests.training.small import observations, smooth_images, victim

pytestmark = pytest.mark.slow

VICTIMS = [
    ("lenet", None, 32, 3), ("convnet", 8, 32, 3), ("resnet20", 16, 32, 3), ("resnet20", 4, 16, 3),
    ("resnet18", None, 16, 2), ("densenet", None, 32, 2), ("vit", 64, 32, 3), ("perceptron", 32, 32, 3),
    ("resnet20-gn", 8, 16, 3), ("mobilenet", 4, 16, 3), ("small-densenet", 4, 16, 3),
]  # fmt: skip
"""Architecture, width, size of the images, and number of clients."""
CPU = torch.device("cpu")


def plain_image_gradient(observation: Observation, x: Tensor) -> Tensor:
    """The image gradient of Inverting Gradients' objective with TV 1e-4 (Geiping et al., 2020, equation 4)."""
    model = copy.deepcopy(observation.victim.model).to(x.dtype)
    for module in model.modules():
        module.train(observation.batchnorm == "train" and isinstance(module, nn.BatchNorm2d))
    x = x.clone().requires_grad_()
    loss = F.cross_entropy(model(x), torch.tensor(observation.labels))
    gradients = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
    targets = [observation.update.tensors[name].to(x.dtype) for name, _ in model.named_parameters()]
    dot = sum((a * b).sum() for a, b in zip(gradients, targets, strict=True))
    norms = sum((a * a).sum() for a in gradients).sqrt() * sum((b * b).sum() for b in targets).sqrt()
    variation = (x[..., 1:] - x[..., :-1]).abs().mean() + (x[..., 1:, :] - x[..., :-1, :]).abs().mean()
    return torch.autograd.grad(1 - dot / norms + 1e-4 * variation, x)[0]


def image_gradients(recipe: AttackRecipe, seen: list[Observation], x: Tensor) -> Tensor:
    """The same gradient from the attacks' code, for all observations at once."""
    evaluation = Evaluation(recipe, seen, CPU, x.dtype)
    labels = torch.tensor([observation.labels for observation in seen])
    return evaluation(x, labels, evaluation.targets).by_images


def relative(a: Tensor, b: Tensor) -> float:
    """The relative L2 difference."""
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize(("architecture", "width", "size", "clients"), VICTIMS)
def test_equal_to_a_plain_loop_whatever_the_neighbours(
    architecture: str, width: int | None, size: int, clients: int
) -> None:
    """In float64 gradients are within 1e-9 of the loop's, alone and among others; in float32 99.9% of signs agree."""
    seen = observations(victim(architecture, width, size), clients)
    x = torch.randn(clients, 1, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    recipe = preset("inversed")
    together = image_gradients(recipe, seen, x)
    single = image_gradients(recipe, seen, x.float())
    for index, observation in enumerate(seen):
        expected = plain_image_gradient(observation, x[index])
        assert relative(together[index], expected) < 1e-9
        alone = image_gradients(recipe, [observation], x[index : index + 1])
        assert relative(alone[0], expected) < 1e-9
        plain = plain_image_gradient(observation, x[index].float())
        assert float((single[index].sign() == plain.sign()).float().mean()) >= 0.999


@pytest.mark.parametrize("batchnorm", ["eval", "train"])
def test_clients_with_several_images(batchnorm: str) -> None:
    """A client of several images has its own batch statistics and its own mean loss."""
    protocol = Protocol(batchnorm=batchnorm)  # type: ignore[arg-type]
    seen = observations(victim("resnet20", 16, 16), 3, images=4, protocol=protocol)
    x = torch.randn(3, 4, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    together = image_gradients(preset("inversed"), seen, x)
    for index, observation in enumerate(seen):
        assert relative(together[index], plain_image_gradient(observation, x[index])) < 1e-9


@pytest.mark.parametrize("objective", [Cosine(), Euclidean(), Manhattan(), PerOutputCosine()])
def test_shared_weights_and_local_steps_agree(objective: object) -> None:
    """Both paths to a gradient give the same objective, as one step of rate 1 is minus the gradient."""
    attacked = victim("convnet", 4)
    seen = observations(attacked, 2, images=3)
    x = torch.randn(6, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.tensor([label for observation in seen for label in observation.labels or ()])
    # In training mode a bias before batch normalisation has no gradient but rounding, and a cosine of its own here.
    train = not isinstance(objective, PerOutputCosine)
    values = []
    for path in (
        SharedWeightGradients(attacked.model, 3, train_batchnorm=train),
        LocalStepDeltas(attacked.model, 3, LocalTraining(1.0, 3), train_batchnorm=train, sign=-1.0),
    ):
        path.network.to(torch.float64)
        stacked = [torch.stack([o.update.tensors[name].double() for o in seen]) for name in path.names]
        values.append(objective(path(x, labels), objective.prepare(path.lay_out(stacked))))  # type: ignore[operator]
    assert torch.allclose(values[0], values[1], rtol=1e-9, atol=0)


def test_local_steps_are_the_clients_own() -> None:
    """The weight delta simulated for the originals is the one that a client's plain SGD sends."""
    attacked = victim("convnet", 4)
    training = LocalTraining(learning_rate=0.05, batch_size=2, epochs=2)
    protocol = Protocol(local_training=training)
    seen = observations(attacked, 2, images=4, protocol=protocol)
    path = LocalStepDeltas(attacked.model, 4, training, train_batchnorm=False)
    pixels = normalise(smooth_images(8), attacked.inputs)
    deltas = path(pixels, torch.arange(8))
    for term, name in zip(deltas, path.names, strict=True):
        sent = torch.stack([observation.update.tensors[name] for observation in seen])
        assert torch.allclose(term.dense().reshape(sent.shape), sent, rtol=1e-3, atol=1e-6)
