"""The loss that clients minimise, and the output of a victim that it is taken of."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from semsim.exceptions import InvalidVictim


def logits_of(output: object) -> Tensor:
    """The logits ``(N, classes)`` of a victim's output, which may have several heads.

    A victim may return a tensor, or an object or a mapping with ``logits``, or a sequence or mapping whose first value
    the logits are (the auxiliary heads of GoogLeNet and Inception follow them).

    Raises:
        InvalidVictim: the output has no logits of this shape.
    """
    logits = output
    while not isinstance(logits, Tensor):
        if isinstance(logits, Mapping) and logits:
            logits = logits["logits"] if "logits" in logits else next(iter(logits.values()))
        elif (named := getattr(logits, "logits", None)) is not None:
            logits = named
        elif isinstance(logits, Sequence) and not isinstance(logits, str) and logits:
            logits = logits[0]
        else:
            raise InvalidVictim(f"expected logits (N, classes) from the victim, got {type(output).__name__}")
    if logits.ndim != 2 or not logits.is_floating_point():
        raise InvalidVictim(
            f"expected logits (N, classes) from the victim, got {logits.dtype} of shape {tuple(logits.shape)}"
        )
    return logits


def client_losses(logits: Tensor, labels: Tensor, images: int) -> Tensor:
    """Each client's mean cross-entropy ``(N,)``.

    ``logits`` ``(N * images, classes)``; ``labels`` integers ``(N * images,)``, or probabilities like the logits.
    """
    if labels.dtype == torch.int64:
        losses = F.cross_entropy(logits, labels, reduction="none")
    else:
        losses = -(labels * F.log_softmax(logits, dim=-1)).sum(dim=-1)
    return losses if images == 1 else losses.unflatten(0, (-1, images)).mean(dim=1)
