"""The weight deltas of many clients after several local steps (federated averaging), differentiable by the images.

After the first step clients no longer share weights, so all of it runs once a client, under ``vmap``.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from training.gradients.attackable import attackable_copy
from training.gradients.loss import client_losses
from training.gradients.terms import DenseTerm, GradientTerm
from training.gradients.update import LocalTraining


class LocalStepDeltas:
    """A victim, made ready to give each client's weight delta (after minus before), in the victim's own order."""

    def __init__(
        self, model: nn.Module, images: int, training: LocalTraining, *, train_batchnorm: bool, sign: float = 1.0
    ) -> None:
        """``images`` a client holds, trained on as ``training`` says; the deltas are multiplied by ``sign``.

        One step of rate 1 with sign -1 is the gradient itself, for victims that the shared-weight path refuses.
        """
        self.images = images
        self._sign = sign
        self.training = training
        self.network = attackable_copy(model, training.batch_size, train_batchnorm=train_batchnorm)
        self.names = tuple(name for name, _ in self.network.named_parameters())

    def __call__(self, images: Tensor, labels: Tensor) -> list[GradientTerm]:
        """The deltas for images ``(N * images, C, H, W)`` and labels, as the shared-weight gradients take them."""
        per_client = (t.unflatten(0, (-1, self.images)) for t in (images, labels))
        deltas = vmap(self._delta)(*per_client)
        return [DenseTerm(delta.reshape(*delta.shape[:2], -1)) for delta in deltas]

    def lay_out(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Targets ``(N, *parameter)`` as the terms are laid out: ``(N, out, rest)``."""
        return [value.reshape(*value.shape[:2], -1).contiguous() for value in values]

    def _delta(self, images: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        before: dict[str, Tensor] = dict(self.network.named_parameters())
        weights = before
        for _ in range(self.training.epochs):
            for start in range(0, self.images, self.training.batch_size):
                stop = start + self.training.batch_size
                gradient = grad(self._loss)(weights, images[start:stop], labels[start:stop])
                weights = {name: weights[name] - self.training.learning_rate * gradient[name] for name in weights}
        return tuple(self._sign * (weights[name] - before[name]) for name in self.names)

    def _loss(self, weights: dict[str, Tensor], images: Tensor, labels: Tensor) -> Tensor:
        logits = functional_call(self.network, weights, (images,))
        return client_losses(logits, labels, len(images))[0]
