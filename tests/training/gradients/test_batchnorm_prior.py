"""The prior on batch statistics against a plain loop with PyTorch's own layers."""

import copy

import pytest
import torch
from torch import Tensor, nn

from semsim_training.attacks.attack_recipe import AttackRecipe
from semsim_training.attacks.candidate_evaluation import Evaluation
from semsim_training.attacks.objectives import Euclidean
from semsim_training.attacks.presets import preset
from semsim_training.attacks.priors import BatchNormStatistics, Reference
from semsim_training.client_images.normalisation import normalise
from semsim_training.gradients.local_steps import LocalStepDeltas
from semsim_training.gradients.update import LocalTraining
from semsim_training.observations.batch_statistics import batch_statistics
from semsim_training.observations.client_side import Protocol
from semsim_training.observations.observation import Observation
from tests.training.small import observations, smooth_images, victim

CPU = torch.device("cpu")
SENT = Protocol(batchnorm="train", send_statistics=True)


def only_the_prior(reference: Reference) -> AttackRecipe:
    """An attack that looks at batch statistics and at nothing else; the first layer counts ten times."""
    prior = BatchNormStatistics(0.1, first=10.0, reference=reference)
    return AttackRecipe("prior", Euclidean(0.0), preset("smooth").optimiser, iterations=1, priors=(prior,))


def plain_gradient(seen: Observation, x: Tensor, reference: Reference) -> Tensor:
    """The prior's image gradient for one client (Yin et al., CVPR 2021, equation 11)."""
    model, inputs = copy.deepcopy(seen.victim.model).to(x.dtype), []
    layers = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    expected = [(layer.running_mean.clone(), layer.running_var.clone()) for layer in layers]
    if reference is Reference.BATCH:
        expected = [(statistics.mean, statistics.variance) for statistics in batch_statistics(seen)]
    for layer in layers:
        layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    x = x.clone().requires_grad_()
    model.train(seen.batchnorm == "train")(x)
    total = x.new_zeros(())
    for index, (values, (mean, variance)) in enumerate(zip(inputs, expected, strict=True)):
        distance = (values.mean((0, 2, 3)) - mean).norm() + (values.var((0, 2, 3), correction=0) - variance).norm()
        total = total + (1.0 if index else 10.0) * 0.1 * distance
    return torch.autograd.grad(total, x)[0]


@pytest.mark.parametrize(
    ("reference", "protocol"),
    [(Reference.TRAINING, Protocol()), (Reference.TRAINING, SENT), (Reference.BATCH, SENT)],
)
def test_equal_to_a_plain_loop_whatever_the_neighbours(reference: Reference, protocol: Protocol) -> None:
    """Each client is held against its own statistics, to 1e-9 in float64."""
    seen = observations(victim("resnet20", 4, 16), 3, 4, protocol)
    x = torch.randn(3, 4, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    evaluation = Evaluation(only_the_prior(reference), seen, CPU, torch.float64)
    together = evaluation(x, torch.zeros(3, 4, dtype=torch.int64), evaluation.targets).by_images
    for index, observation in enumerate(seen):
        expected = plain_gradient(observation, x[index], reference)
        assert float((together[index] - expected).norm() / expected.norm()) < 1e-9


@pytest.mark.parametrize("training", [LocalTraining(0.05, 4), LocalTraining(0.05, 2, epochs=2)])
def test_local_steps_leave_the_statistics_that_are_sent(training: LocalTraining) -> None:
    """The simulation's statistics for the originals are the ones recovered from the client's buffers.

    In float64: over four steps of an untrained network float32 drifts by a hundredth.
    """
    attacked = victim("resnet20", 4, 16)
    attacked.model.double()
    protocol = Protocol(batchnorm="train", send_statistics=True, local_training=training)
    seen = observations(attacked, 2, 4, protocol)
    path = LocalStepDeltas(attacked.model, 4, training, train_batchnorm=True)
    path(normalise(smooth_images(8, 16), attacked.inputs, torch.float64), torch.arange(8))
    sent = zip(*(batch_statistics(observation) for observation in seen), strict=True)
    for simulated, clients in zip(path.statistics(), sent, strict=True):
        for client, statistics in enumerate(clients):
            assert torch.allclose(simulated.mean[client], statistics.mean, rtol=1e-9, atol=1e-9)
            assert torch.allclose(simulated.variance[client], statistics.variance, rtol=1e-9, atol=1e-9)
