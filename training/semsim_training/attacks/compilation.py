"""Compiling an evaluation, both derivatives included, into one graph of fixed shapes."""

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from semsim_training.attacks.candidate_evaluation import Evaluated, Evaluation

_log = logging.getLogger(__name__)


def compiled(
    evaluation: Evaluation, images: Tensor, labels: Tensor, targets: Sequence[Tensor]
) -> Callable[[Tensor, Tensor, Sequence[Tensor]], Evaluated]:
    """The evaluation, compiled by TorchInductor, or as it is where that fails.

    The evaluation is traced once with all derivatives taken, because the compiler does not follow nested derivatives by
    itself. TorchInductor keeps what it compiled in its own cache (``TORCHINDUCTOR_CACHE_DIR``).
    """

    def plain(images: Tensor, labels: Tensor, *targets: Tensor) -> tuple[Tensor, ...]:
        evaluated = evaluation(images, labels, targets)
        by_labels = () if evaluated.by_labels is None else (evaluated.by_labels,)
        return (evaluated.objective, evaluated.total, evaluated.by_images, *by_labels)

    try:
        graph = make_fx(plain)(images, labels, *targets)
        fast = torch.compile(graph)
        with torch.no_grad():
            fast(images, labels, *targets)
    except Exception as error:  # noqa: BLE001  # compilers fail in many ways, and none may stop an attack
        _log.warning("attacking without compilation: %s: %s", type(error).__name__, str(error).partition("\n")[0])
        return evaluation

    def run(images: Tensor, labels: Tensor, targets: Sequence[Tensor]) -> Evaluated:
        with torch.no_grad():
            objective, total, by_images, *by_labels = fast(images, labels, *targets)
        return Evaluated(objective, total, by_images, by_labels[0] if by_labels else None)

    return run
