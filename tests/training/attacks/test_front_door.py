"""One call from a model and an update to images: what it takes, what it refuses, and what it leaves alone."""

import copy
import random
import re
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semsim.exceptions import InvalidConfiguration, InvalidUpdate, InvalidVictim
from semsim_training.attacks.attack import AttackChoice, Inputs, LocalTraining, Status, attack
from semsim_training.client_images.normalisation import normalise
from tests.conftest import ROOT
from tests.training.small import smooth_images

INPUTS = Inputs(size=16, classes=10, mean=127.5, std=63.75)


def _perceptron() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(768, 16), nn.ReLU(), nn.Dropout(0.0), nn.Linear(16, 10))


def _gradient(model: nn.Module, label: int = 3) -> dict[str, Tensor]:
    pixels = normalise(smooth_images(1, 16), INPUTS)
    loss = F.cross_entropy(model(pixels), torch.tensor([label]))
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


def test_the_first_lines_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    """The first lines of docs/attacks.md can be pasted, and find the image."""
    (first, *_) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "attacks.md").read_text(), re.DOTALL)
    assert len(first.strip().splitlines()) <= 9
    with torch.random.fork_rng(devices=[]):
        exec(first, {})  # noqa: S102
    assert capsys.readouterr().out.startswith("matched (3,) (1, 28, 28, 1) Explanation(share=")


def test_one_step_s_delta_and_state_are_a_gradient() -> None:
    """The closed form takes a delta and a state after a step, by name and in order, wrapped or not."""
    model = _perceptron()
    gradient = _gradient(model)
    delta = {name: -0.1 * value for name, value in gradient.items()}
    after = [value + delta[name] for name, value in model.state_dict().items()]
    training = LocalTraining(0.1, 1)
    ways = [
        attack(model, gradient, inputs=INPUTS, attack="closed-form"),
        attack(nn.DataParallel(model), gradient, inputs=INPUTS, attack="closed-form"),
        attack(model, delta, inputs=INPUTS, attack="closed-form", kind="delta", training=training),
        attack(model, after, inputs=INPUTS, attack="closed-form", kind="after", training=training),
        attack(
            model, [value.numpy() for value in after], inputs=INPUTS, attack="closed-form", kind="after",
            training=LocalTraining(0.1, 1, momentum=0.9),
        ),
    ]  # fmt: skip
    for found in ways:
        assert (found.status, found.labels) == (Status.MATCHED, (3,))
        assert int(np.abs(found.images[0].astype(int) - smooth_images(1, 16)[0]).max()) <= 1


def test_the_caller_s_model_and_torch_stay_as_they_are() -> None:
    """Mode, weights, buffers, gradients, hooks and the global state of torch, numpy and random are untouched."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Dropout(0.5), nn.Linear(784, 10)
    ).train()
    update = {name: torch.randn_like(value) * 0.01 for name, value in model.named_parameters()}
    update["5.bias"] -= update["5.bias"].mean()
    before, flags = copy.deepcopy(model.state_dict()), _global_state()
    attack(model, update, inputs=INPUTS, attack=AttackChoice(preset="inversed", iterations=2))
    assert _global_state() == flags
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def _global_state() -> list[object]:
    return [
        torch.get_rng_state().tolist(), torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(), torch.backends.mkldnn.enabled, random.getstate(),
        repr(np.random.get_state()),
    ]  # fmt: skip


def test_a_search_ends_in_time() -> None:
    """Seconds end a search of any length with its best."""
    model = _perceptron()
    found = attack(
        model, _gradient(model), inputs=INPUTS, attack=AttackChoice(preset="inversed", iterations=10**7), seconds=0.3
    )
    assert found.status is not Status.DIVERGED
    assert found.images.shape == (1, 16, 16, 3)


def test_mistakes_are_refused_in_a_line() -> None:
    """Impossible inputs, updates and names are errors of the project before any work."""
    model = _perceptron()
    gradient = _gradient(model)
    for statistics in ({"std": 0}, {"std": float("nan")}, {"mean": 0.5, "std": 0.2}, {"mean": (1.0, 2.0)}):
        with pytest.raises(InvalidConfiguration, match=r"^inputs: expected [^\n]*$"):
            Inputs(**{"size": 16, "classes": 10, "mean": 127.5, "std": 63.75, **statistics})
    with pytest.raises(InvalidUpdate, match="got zeros"):
        attack(model, {name: torch.zeros_like(value) for name, value in gradient.items()}, inputs=INPUTS)
    with pytest.raises(InvalidUpdate, match="expected a gradient"):
        attack(model, model.state_dict(), inputs=INPUTS)
    with pytest.raises(InvalidConfiguration, match="expected an attack of"):
        attack(model, gradient, inputs=INPUTS, attack="magic")
    with pytest.raises(InvalidConfiguration, match="expected a kind of update of gradient, delta, after, got state"):
        attack(model, gradient, inputs=INPUTS, kind="state")
    with pytest.raises(InvalidUpdate, match=r"expected labels 0\.\.9, got 11"):
        attack(model, gradient, inputs=INPUTS, labels=[11])
    with pytest.raises(InvalidVictim, match="to take images of 3 channels and 20 x 20 pixels, got RuntimeError"):
        attack(model, gradient, inputs=Inputs(size=20, classes=10, mean=127.5, std=63.75))
    with pytest.raises(InvalidVictim, match="expected logits of 12 classes"):
        attack(model, gradient, inputs=Inputs(size=16, classes=12, mean=127.5, std=63.75))
    with pytest.raises(InvalidConfiguration, match="expected a device of this machine, got tpu"):
        attack(model, gradient, inputs=INPUTS, device="tpu")
    with pytest.raises(InvalidConfiguration, match="expected more than 0 seconds, got 0"):
        attack(model, gradient, inputs=INPUTS, seconds=0)


@pytest.mark.parametrize("labels", [[3.0], [3.7], np.array([3.0]), ["3"], "3", 3, [True], torch.tensor([3.0])])
def test_labels_are_whole_numbers(labels: Any) -> None:
    """Labels that are no sequence of whole numbers are refused, and not rounded."""
    model = _perceptron()
    with pytest.raises(InvalidUpdate, match="expected labels as a sequence of whole numbers, got"):
        attack(model, _gradient(model), inputs=INPUTS, attack="closed-form", labels=labels)


@pytest.mark.parametrize("labels", [[np.int64(3)], np.array([3]), torch.tensor([3]), [torch.tensor(3)]])
def test_labels_of_arrays_are_taken(labels: Any) -> None:
    """Integers of NumPy and PyTorch are labels as those of Python are."""
    model = _perceptron()
    made = attack(model, _gradient(model), inputs=INPUTS, attack="closed-form", labels=labels)
    assert (made.status, made.labels) == (Status.MATCHED, (3,))


def test_other_types_and_weights_are_refused() -> None:
    """A model without numbers, or without inputs, is refused by name before any work."""
    model = _perceptron()
    gradient = _gradient(model)
    with_nan, old = copy.deepcopy(model), nn.Sequential(nn.Flatten(), nn.utils.weight_norm(nn.Linear(768, 10)))
    with_nan.get_parameter("4.weight").data[0, 0] = float("nan")
    refused: list[tuple[Any, str]] = [
        (None, "expected a torch.nn.Module, got NoneType"),
        (copy.deepcopy(model).to("meta"), "on the device meta"),
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(10)), "got a lazy one: 1.weight has no shape"),
        (torch.jit.trace(model, torch.zeros(1, 3, 16, 16)), "got a ScriptModule"),
        (with_nan, "expected finite weights, got NaN in 4.weight"),
        (old, "got 1.weight, which is computed .* torch.nn.utils.parametrizations"),
    ]
    for wrong, told in refused:
        with pytest.raises(InvalidVictim, match=told):
            attack(wrong, gradient, inputs=INPUTS)
    nothing: Any = None
    with pytest.raises(InvalidConfiguration, match=r"expected Inputs .*, got NoneType"):
        attack(model, gradient, inputs=nothing)
    for images in (1.5, True, "1"):
        wrong_count: Any = images
        with pytest.raises(InvalidUpdate, match="expected a whole number of images, got"):
            attack(model, gradient, inputs=INPUTS, images=wrong_count)


@pytest.mark.parametrize(
    ("argument", "error", "message"),
    [
        ({"attack": None}, InvalidConfiguration, "expected an attack's name, .* got NoneType"),
        ({"attack": {"preset": "dlg"}}, InvalidConfiguration, "expected an attack's name, .* got dict"),
        ({"kind": []}, InvalidConfiguration, r"expected a kind of update of .*, got \[\]"),
        ({"seconds": "1"}, InvalidConfiguration, "expected a number of seconds, got '1'"),
        ({"seed": "x"}, InvalidUpdate, "expected a whole number as seed, got 'x'"),
        ({"seed": 0.5}, InvalidUpdate, "expected a whole number as seed, got 0.5"),
        ({"device": None}, InvalidConfiguration, "expected a device such as cpu or cuda, got None"),
        ({"update": {1: torch.ones(2)}}, InvalidUpdate, "expected names of tensors as text .* got int 1"),
        ({"update": None}, InvalidUpdate, "expected tensors by name or in a list.* got NoneType"),
    ],
)
def test_arguments_of_other_types_are_refused(argument: dict[str, Any], error: type[Exception], message: str) -> None:
    """They end with an error of the project, before any work."""
    model = _perceptron()
    with pytest.raises(error, match=message):
        attack(**{"model": model, "update": _gradient(model), "inputs": INPUTS, "attack": "closed-form"} | argument)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"preset": 3}, "preset: expected a valid string, got 3"),
        ({}, "preset: expected a value, got none"),
        ({"preset": "dlg", "iteratons": 2}, "expected a field of preset, .*, got iteratons; did you mean iterations"),
        ({"preset": "dlg", "iterations": -1}, "iterations: expected a number greater than or equal to 1, got -1"),
        ({"preset": "inversed", "total_variation": float("inf")}, "total_variation: expected a finite number, got inf"),
    ],
)
def test_a_choice_of_an_attack_fails_as_the_project_does(values: dict[str, Any], message: str) -> None:
    """In a line, without the schema library's text and address."""
    with pytest.raises(InvalidConfiguration, match=f"^attack: {message}") as caught:
        AttackChoice(**values)
    assert "http" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": "0.1"}, "a number for learning_rate, got '0.1'"),
        ({"learning_rate": None}, "a number for learning_rate, got None"),
        ({"batch_size": 1.5}, "a whole number for batch_size, got 1.5"),
        ({"epochs": "2"}, "a whole number for epochs, got '2'"),
        ({"momentum": "x"}, "a number for momentum, got 'x'"),
        ({"clip_norm": "x"}, "a number for clip_norm, got 'x'"),
        ({"betas": "x"}, "two numbers for betas, got 'x'"),
        ({"betas": (0.9,)}, r"two numbers for betas, got \(0.9,\)"),
        ({"schedule": "x"}, "a sequence of numbers for schedule, got 'x'"),
        ({"order": 3}, "a sequence of whole numbers for each epoch in order, got 3"),
        ({"order": (0, 1)}, r"a sequence of whole numbers for each epoch in order, got \(0, 1\)"),
    ],
)
def test_local_training_of_other_types_is_refused(values: dict[str, Any], message: str) -> None:
    """Texts are no numbers."""
    with pytest.raises(InvalidUpdate, match=f"expected {message}"):
        LocalTraining(**{"learning_rate": 0.1, "batch_size": 1} | values)


class _Stopped(nn.Sequential):
    """A network with a part that no gradient passes."""

    def forward(self, x: Tensor) -> Tensor:
        """The logits, scaled by a constant of the images."""
        logits: Tensor = super().forward(x)
        return logits * x.square().mean(dim=(1, 2, 3)).detach()[:, None]


class _TwoHeads(nn.Module):
    """A network with an auxiliary head in training mode, as GoogLeNet has it."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(768, 16), nn.Sigmoid())
        self.head, self.aux = nn.Linear(16, 10), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """The logits, and those of the auxiliary head where the network trains."""
        features = self.features(x)
        logits: Tensor = self.head(features)
        return (logits, self.aux(features)) if self.training else logits


_SHORT = AttackChoice(preset="inversed", iterations=2)


def test_a_result_tells_of_a_derivative_that_differences_contradict() -> None:
    """The hint of a search that followed a wrong image gradient names it; a match would need none."""
    torch.manual_seed(0)
    model = _Stopped(nn.Flatten(), nn.Linear(768, 16), nn.Sigmoid(), nn.Linear(16, 10)).eval()
    made = attack(model, _gradient(model), inputs=INPUTS, labels=(3,), attack=_SHORT)
    assert made.status is not Status.MATCHED
    assert made.explanation is not None
    assert "finite differences contradict, in the network itself (_Stopped)" in made.explanation.hint
    right = attack(_perceptron(), _gradient(_perceptron()), inputs=INPUTS, attack=_SHORT)
    assert right.explanation is not None
    assert "differences" not in right.explanation.hint


def test_a_result_tells_of_a_loss_of_an_auxiliary_head() -> None:
    """A client that added the auxiliary head's loss sent more than attacks repeat; the hint says so."""
    torch.manual_seed(0)
    model = _TwoHeads().train()
    logits, auxiliary = model(normalise(smooth_images(1, 16), INPUTS))
    loss = F.cross_entropy(logits, torch.tensor([3])) + 0.3 * F.cross_entropy(auxiliary, torch.tensor([3]))
    names, parameters = zip(*model.named_parameters(), strict=True)
    update = dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))
    made = attack(model, update, inputs=INPUTS, attack=_SHORT)
    assert made.status is not Status.MATCHED
    assert made.explanation is not None
    assert "In training mode the network gives more than its logits, as auxiliary heads do" in made.explanation.hint
