"""One client at a time, as the sources of the presets search: PyTorch's optimisers, hooks and double backward.

Each loop was written after a source and shares no code with the attacks. It takes a client's problem and a start, and
says which points it visited and where it ended. The sources are named as ``docs/attacks.md`` names them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VISITED = 21
"""The number of points that a loop remembers: the start and 20 steps."""


@dataclass(frozen=True)
class Problem:
    """The view of an attacker of one client of one image."""

    model: nn.Module
    """The victim in evaluation mode, in the precision of the search."""
    gradient: Sequence[Tensor]
    """The client's gradient, by the victim's parameters in their order."""
    label: Tensor
    """The image's class, ``(1,)``."""
    low: Tensor
    high: Tensor
    """The normalised values of black and white, ``(C, 1, 1)``."""
    noise: Callable[[int], Tensor]
    """Standard normal noise of the image's shape ``(1, C, H, W)`` for each iteration."""


@dataclass
class Walk:
    """The way of one search."""

    visited: list[Tensor] = field(default_factory=list)
    """The first points at which the gradient was taken."""
    end: Tensor = field(default_factory=lambda: torch.empty(0))
    """The result, ``(1, C, H, W)``."""
    score: float = float("inf")
    """The objective of the result, without priors."""

    def visit(self, *unknowns: Tensor) -> None:
        """Remember a point, while there are few."""
        if len(self.visited) < VISITED:
            self.visited.append(torch.cat([part.detach().flatten() for part in unknowns]))


@dataclass(frozen=True)
class Config:
    """A configuration of Inverting Gradients' code, with the names of its keys."""

    cost_fn: str = "sim"
    optim: str = "adam"
    total_variation: float = 1e-4
    lr_decay: bool = True


def inverting(problem: Problem, start: Tensor, iterations: int, config: Config) -> Walk:
    """After ``GradientReconstructor._run_trial`` of invertinggradients, and ``out_sim`` of ATSPrivacy."""
    walk, x = Walk(), start.clone().requires_grad_()
    optimiser = _optimiser(config.optim, x)
    milestones = [iterations // share for share in (2.667, 1.6, 1.142)] if config.lr_decay else []
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimiser, milestones=milestones, gamma=0.1)  # type: ignore[arg-type]

    def cost() -> Tensor:
        return _cost(config.cost_fn, _gradient(problem, x, problem.label), problem.gradient)

    def closure() -> float:
        walk.visit(x)
        dx, dy = (x[..., 1:] - x[..., :-1]).abs().mean(), (x[..., 1:, :] - x[..., :-1, :]).abs().mean()
        loss = cost() + config.total_variation * (dx + dy)
        (x.grad,) = torch.autograd.grad(loss, x)
        x.grad.sign_()
        return float(loss.detach())

    for _ in range(iterations):
        optimiser.step(closure)
        scheduler.step()
        x.data = torch.max(torch.min(x.data, problem.high), problem.low)
    walk.end, walk.score = x.detach(), float(cost().detach())
    return walk


def _optimiser(kind: str, x: Tensor) -> torch.optim.Optimizer:
    match kind:
        case "adam":
            return torch.optim.Adam([x], lr=0.1)
        case "sgd":
            return torch.optim.SGD([x], lr=0.01, momentum=0.9, nesterov=True)
        case _:
            return torch.optim.LBFGS([x], lr=1e-4)


def deep_leakage(problem: Problem, start: Tensor, rounds: int, logits: Tensor | None) -> Walk:
    """After ``main.py`` of dlg, with the label's ``logits`` ``(1, classes)``; without, after ``iDLG.py``."""
    walk, x = Walk(), start.clone().requires_grad_()
    searched = [] if logits is None else [logits.clone().requires_grad_()]
    optimiser = torch.optim.LBFGS([x, *searched], lr=1.0)

    def cost() -> Tensor:
        label = searched[0].softmax(dim=-1) if searched else problem.label
        return _cost("l2", _gradient(problem, x, label), problem.gradient)

    def closure() -> Tensor:
        walk.visit(x, *searched)
        optimiser.zero_grad()
        loss = cost()
        for unknown, gradient in zip([x, *searched], torch.autograd.grad(loss, [x, *searched]), strict=True):
            unknown.grad = gradient
        return loss.detach()

    for _ in range(rounds):
        optimiser.step(closure)
    walk.end, walk.score = x.detach(), float(cost().detach())
    return walk


def modern(problem: Problem, start: Tensor, iterations: int) -> Walk:
    """After ``OptimizationBasedAttacker._run_trial`` of breaching with its configuration ``modern``."""
    features: list[Tensor] = []
    last = [module for module in problem.model.modules() if isinstance(module, nn.Linear)][-1]
    hook = last.register_forward_hook(lambda _, inputs, __: features.append(inputs[0]))
    label = int(problem.label)
    measured = problem.gradient[-2][label] / problem.gradient[-1][label]

    def total(x: Tensor, gradient: Sequence[Tensor]) -> Tensor:
        opponents = [x[:, 0:1] - x[:, 1:2], x[:, 0:1] - x[:, 2:3], x[:, 1:2] - x[:, 2:3]]
        variation = _total_variation(torch.cat([x, *opponents], dim=1), inner=2, outer=0.5)
        return (
            _cost("sim", gradient, problem.gradient) + 0.1 * variation + 0.1 * (features[-1] - measured).square().mean()
        )

    def seen(gradient: Tensor, iteration: int) -> Tensor:
        scale = 1 - iteration / iterations
        return (gradient * scale).tanh() / scale

    try:
        return _breaching(problem, start, iterations, total, seen, langevin=0.0)
    finally:
        hook.remove()


def see_through(problem: Problem, start: Tensor, iterations: int) -> Walk:
    """After breaching's configuration ``seethroughgradients``, with the noise in the step as in the paper."""
    distances: list[Tensor] = []

    def compare(layer: nn.Module, inputs: tuple[Tensor, ...], _: object) -> None:
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
        running_mean, running_variance = layer.get_buffer("running_mean"), layer.get_buffer("running_var")
        distances.append((running_variance - variance).norm() + (running_mean - mean).norm())

    layers = [module for module in problem.model.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [layer.register_forward_hook(compare) for layer in layers]

    def total(x: Tensor, gradient: Sequence[Tensor]) -> Tensor:
        last = distances[-len(layers) :]
        statistics = 10 * last[0] + torch.stack(last[1:]).sum()
        squares = 0.5 * _cost("l2", gradient, problem.gradient)
        variation = _total_variation(x, inner=1, outer=1)
        return 1e-4 * squares + 1e-4 * variation + 1e-6 * 0.5 * x.square().mean() + 0.1 * statistics

    try:
        return _breaching(problem, start, iterations, total, lambda gradient, _: gradient, langevin=0.2)
    finally:
        for hook in hooks:
            hook.remove()


def _breaching(
    problem: Problem,
    start: Tensor,
    iterations: int,
    total: Callable[[Tensor, Sequence[Tensor]], Tensor],
    seen: Callable[[Tensor, int], Tensor],
    *,
    langevin: float,
) -> Walk:
    walk, x = Walk(), start.clone().requires_grad_()
    optimiser = torch.optim.Adam([x], lr=0.1)
    least, walk.end = float("inf"), x.detach().clone()
    for iteration, rate in zip(range(iterations), _warmed_up(0.1, 50, iterations), strict=False):
        optimiser.param_groups[0]["lr"] = rate
        walk.visit(x)
        loss = total(x, _gradient(problem, x, problem.label))
        x.grad = seen(torch.autograd.grad(loss, x)[0], iteration)
        optimiser.step()
        x.data += rate * langevin * problem.noise(iteration)
        x.data = torch.max(torch.min(x.data, problem.high), problem.low)
        if float(loss.detach()) < least:
            least, walk.end = float(loss.detach()), x.detach().clone()
    walk.score = least
    return walk


def _warmed_up(rate: float, warmup: int, iterations: int) -> list[float]:
    """The rates of ``GradualWarmupScheduler`` around ``CosineAnnealingLR`` in breaching's ``common.py``."""
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=rate)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
    rates = [rate * step / warmup for step in range(warmup + 1)]
    for _ in range(iterations):
        rates.append(float(cosine.get_last_lr()[0]))
        optimiser.step()
        cosine.step()
    return rates


def _total_variation(x: Tensor, inner: float, outer: float) -> Tensor:
    """After ``TotalVariation`` of breaching: differences by a convolution with a border of zeros."""
    kernel = torch.zeros(2, 1, 3, 3, dtype=x.dtype)
    kernel[:, 0, 1, 1], kernel[0, 0, 2, 1], kernel[1, 0, 1, 2] = -1.0, 1.0, 1.0
    differences = F.conv2d(x, kernel.repeat(x.shape[1], 1, 1, 1), padding=1, groups=x.shape[1])
    squares = (differences.abs() + 1e-8).pow(inner)
    return (squares[:, 0::2] + squares[:, 1::2]).pow(outer).mean()


def _gradient(problem: Problem, x: Tensor, label: Tensor) -> Sequence[Tensor]:
    loss = F.cross_entropy(problem.model(x), label)
    return torch.autograd.grad(loss, list(problem.model.parameters()), create_graph=True)


def _cost(kind: str, gradient: Sequence[Tensor], observed: Sequence[Tensor]) -> Tensor:
    pairs = list(zip(gradient, observed, strict=True))
    match kind:
        case "l2":
            return torch.stack([(made - seen).square().sum() for made, seen in pairs]).sum()
        case "l1":
            return torch.stack([(made - seen).abs().sum() for made, seen in pairs]).sum()
        case "out_sim":
            rows = [row for pair in pairs for row in (zip(*pair, strict=True) if pair[0].ndim > 1 else [pair])]
            cosines = [F.cosine_similarity(made.flatten(), seen.flatten(), 0, 1e-10) for made, seen in rows]
            return (1 - torch.stack(cosines)).mean()
        case _:
            dot = torch.stack([(made * seen).sum() for made, seen in pairs]).sum()
            square = torch.stack([made.square().sum() for made, _ in pairs]).sum()
            return 1 - dot / square.sqrt() / torch.stack([seen.square().sum() for _, seen in pairs]).sum().sqrt()
