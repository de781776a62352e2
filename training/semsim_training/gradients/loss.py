"""The loss that clients minimise."""

import torch
import torch.nn.functional as F
from torch import Tensor


def client_losses(logits: Tensor, labels: Tensor, images: int) -> Tensor:
    """Each client's mean cross-entropy ``(N,)``.

    ``logits`` ``(N * images, classes)``; ``labels`` integers ``(N * images,)``, or probabilities like the logits.
    """
    per_image = F.log_softmax(logits, dim=-1)
    if labels.dtype == torch.int64:
        losses = -per_image.gather(-1, labels[:, None])[:, 0]
    else:
        losses = -(labels * per_image).sum(dim=-1)
    means: Tensor = losses.unflatten(0, (-1, images)).mean(dim=1)
    return means
