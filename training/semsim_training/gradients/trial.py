"""A trial step: two clients' gradients and image gradients by a path, beside those of plain autograd."""

import logging
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from semsim.exceptions import InvalidVictim
from semsim_training.gradients.attackable import attackable_copy, independent_copy
from semsim_training.gradients.disagreement import Disagreement, norms, relative, total_norm
from semsim_training.gradients.finite_differences import holds
from semsim_training.gradients.looped_clients import LoopedClientGradients
from semsim_training.gradients.plain_client import DoesNotRun, PlainClient, by_images, own_randomness
from semsim_training.gradients.refusing_layer import first_line, refusing_layer
from semsim_training.gradients.terms import GradientTerm

_log = logging.getLogger(__name__)
_CLIENTS = 2
"""One client alone would not show that a path mixes clients."""
_LARGE = 30_000_000
"""The number of parameters above which a trial keeps the network's own precision, to spare memory."""


class TriedPath(Protocol):
    """A path as a trial needs it."""

    names: tuple[str, ...]

    def __call__(self, images: Tensor, labels: Tensor) -> list[GradientTerm]:
        """Each client's gradient."""
        ...

    def lay_out(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Targets laid out as the terms are."""
        ...


class Trial:
    """Two clients' derivatives by plain autograd, for seeded random images.

    ``model`` is a copy of the victim to build paths on, for clients of ``images`` images.
    """

    def __init__(
        self, model: nn.Module, images: int, shape: tuple[int, int, int], *, train_batchnorm: bool, dtype: torch.dtype
    ) -> None:
        """Compute the derivatives for clients of one or two images ``(C, H, W)``.

        Raises:
            InvalidVictim: the network does not take such images, gives no logits, changes from call to call, or has
                no second derivative; the message names the layer.
        """
        self.images = min(images, 2)
        self.model = independent_copy(model).to(dtype)
        self._tolerance, share = (1e-6, 1e-6) if dtype == torch.float64 else (5e-2, 1e-3)
        self._generator = torch.Generator().manual_seed(0)
        self._train = train_batchnorm
        client = self._client()
        self._pixels = self._normal((_CLIENTS * self.images, *shape))
        with own_randomness():
            logits = client.steady_logits(self._pixels[: self.images])
            labels = torch.randint(logits.shape[1], (len(self._pixels),), generator=self._generator)
            self._labels = labels.to(logits.device)
            self._gradients = self._plain_gradients(client, self._pixels)
            self._floor = share * total_norm(self._gradients)
            self._directions = {name: self._direction(value) for name, value in self._gradients.items()}
            self._by_images = self._image_gradients(client)
        for name, value in (self._gradients | {"the images": self._by_images}).items():
            if not torch.isfinite(value).all():
                raise InvalidVictim(f"expected finite derivatives at random images, got NaN or infinity by {name}")
        self.doubt = ""
        """A sentence where autograd's second derivative is not that of finite differences; else empty."""
        if logits.dtype == torch.float64:  # others have too few digits for differences
            self._check_second_derivative(client)

    def difference(self, path: TriedPath, clients: Sequence[int] = (_CLIENTS, 1)) -> Disagreement:
        """Compare a path, built on ``model`` for clients of ``images`` images, with plain autograd.

        It is called with each number of ``clients``, at most two, because one alone may run otherwise.

        Raises:
            RuntimeError: an operation of the network does not work on this path.
        """
        each = [self._difference(path, count) for count in clients]
        by_parameter = {name: max(one.by_parameter[name] for one in each) for name in path.names}
        return Disagreement(by_parameter, max(one.by_images for one in each), self._tolerance)

    def _difference(self, path: TriedPath, clients: int) -> Disagreement:
        rows, floor = clients * self.images, self._floor[:clients]
        with own_randomness():
            pixels = self._pixels[:rows].clone().requires_grad_()
            terms = [term.dense() for term in path(pixels, self._labels[:rows])]
            expected, directions = (
                path.lay_out([values[name][:clients] for name in path.names])
                for values in (self._gradients, self._directions)
            )
            image_gradient = by_images(terms, directions, pixels)
        by_parameter = {
            name: relative(term.detach(), value, floor)
            for name, term, value in zip(path.names, terms, expected, strict=True)
        }
        by_pixels = relative(
            image_gradient.unflatten(0, (clients, -1)),
            self._by_images[:rows].unflatten(0, (clients, -1)),
            torch.zeros_like(floor),
        )
        return Disagreement(by_parameter, by_pixels, self._tolerance)

    def _plain_gradients(self, client: PlainClient, pixels: Tensor) -> dict[str, Tensor]:
        """The gradients ``(clients, *parameter)`` of the network as it is."""
        pairs = zip(pixels.split(self.images), self._labels.split(self.images), strict=True)
        try:
            gradients = [client.gradient(*one) for one in pairs]
        except RuntimeError as error:
            culprit = refusing_layer(self._client().network, self._pixels[: self.images])
            told = f"expected a network that autograd can differentiate, got {culprit}: {first_line(error)}"
            raise InvalidVictim(told) from error
        return dict(zip(client.names, map(torch.stack, zip(*gradients, strict=True)), strict=True))

    def _image_gradients(self, client: PlainClient) -> Tensor:
        """The gradient by the pixels of the sum of all gradients' products with the directions."""
        directions = [list(values) for values in zip(*self._directions.values(), strict=True)]
        pairs = zip(self._pixels.split(self.images), self._labels.split(self.images), strict=True)
        try:
            return torch.cat([client.image_gradient(*one, by) for one, by in zip(pairs, directions, strict=True)])
        except RuntimeError:  # an operation that has an equal one in the copies for attacks, or has not
            loop = LoopedClientGradients(self.model, self.images, train_batchnorm=self._train)
            pixels = self._pixels.clone().requires_grad_()
            try:
                terms = [term.dense() for term in loop(pixels, self._labels)]
                return by_images(terms, loop.lay_out(list(self._directions.values())), pixels)
            except RuntimeError as error:
                culprit = self._culprit()
                raise InvalidVictim(f"expected layers that can be differentiated twice, got {culprit}") from error

    def _check_second_derivative(self, client: PlainClient) -> None:
        """Hold one client's image gradient against differences: what autograd leaves out, it leaves out for all."""
        rows = slice(self.images)

        def function(pixels: Tensor) -> Tensor:
            gradients = zip(client.gradient(pixels, self._labels[rows]), self._directions.values(), strict=True)
            return torch.stack([(gradient * by[0]).sum() for gradient, by in gradients]).sum()

        with own_randomness():
            if not holds(function, self._pixels[rows], self._by_images[rows]):
                self.doubt = (
                    f"The search followed an image gradient that finite differences contradict, in {self._culprit()}: "
                    "another attack may find more."
                )
                _log.warning(self.doubt)

    def _client(self) -> PlainClient:
        return PlainClient(self.model, train_batchnorm=self._train)

    def _culprit(self) -> str:
        network = attackable_copy(self.model, self.images, train_batchnorm=self._train)
        return refusing_layer(network, self._pixels[: self.images])

    def _direction(self, gradient: Tensor) -> Tensor:
        """Random numbers of the gradient's shape, so scaled that each parameter has a like share in their product."""
        size = norms(gradient).maximum(self._floor).clamp_min(1e-30)
        return self._normal(gradient.shape) / size.reshape(-1, *(1,) * (gradient.ndim - 1))

    def _normal(self, shape: Sequence[int]) -> Tensor:
        parameter = next(self.model.parameters())
        values = torch.randn(*shape, generator=self._generator)
        return values.to(parameter.device, parameter.dtype)


def trial_of(model: nn.Module, images: int, shape: tuple[int, int, int], *, train_batchnorm: bool) -> Trial:
    """The trial in float64, or in the network's own precision where it is large or takes no other.

    Raises:
        InvalidVictim: as :class:`Trial` says.
    """
    parameters = list(model.parameters())
    if any(isinstance(layer, torch.jit.ScriptModule) for layer in model.modules()):
        raise InvalidVictim(f"expected layers in Python, got {type(model).__name__} with layers of TorchScript")
    if not parameters:
        raise InvalidVictim(f"expected a network with parameters, got {type(model).__name__} without any")
    if sum(parameter.numel() for parameter in parameters) <= _LARGE:
        try:
            return Trial(model, images, shape, train_batchnorm=train_batchnorm, dtype=torch.float64)
        except DoesNotRun:
            pass  # the network may ask for its precision by name; if not, it is refused below as well
    return Trial(model, images, shape, train_batchnorm=train_batchnorm, dtype=parameters[0].dtype)
