"""The choice of the path by which an attack computes clients' gradients, after a trial of each on the victim."""

import logging
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from torch import nn

from semsim.exceptions import InvalidVictim
from semsim_training.gradients.disagreement import Disagreement
from semsim_training.gradients.equal_operations import operations_of
from semsim_training.gradients.looped_clients import LoopedClientGradients
from semsim_training.gradients.loose_parameters import LooseParameterGradients
from semsim_training.gradients.refusing_layer import first_line
from semsim_training.gradients.shared_weights import SharedWeightGradients
from semsim_training.gradients.trial import Trial, trial_of

ClientGradients = SharedWeightGradients | LooseParameterGradients | LoopedClientGradients
"""A path: it takes images and labels of many clients to their gradients."""
_log = logging.getLogger(__name__)
_PATHS: tuple[type[ClientGradients], ...] = (SharedWeightGradients, LooseParameterGradients, LoopedClientGradients)


@dataclass(frozen=True, slots=True)
class ChosenPath:
    """The first path that agrees with plain autograd on a victim, and how well."""

    kind: type[ClientGradients]
    difference: Disagreement
    replaced: tuple[str, ...]
    """The victim's operations in whose place equal ones are computed."""
    alone: type[ClientGradients]
    """The path for one client at a time: the loop where clients would go through ``vmap``, which costs one alone more
    than it saves."""
    doubt: str = ""
    """A sentence where autograd's second derivative of the victim is not that of finite differences; else empty."""


_chosen: WeakKeyDictionary[nn.Module, dict[object, ChosenPath]] = WeakKeyDictionary()


def client_gradients(
    model: nn.Module, images: int, shape: tuple[int, int, int], *, train_batchnorm: bool, alone: bool = False
) -> ClientGradients:
    """The fastest path that agrees with plain autograd, for clients of ``images`` images ``(C, H, W)``.

    The paths are ``shared weights`` where every layer is known, ``vmap`` where not, and a plain ``loop`` over clients,
    which is also for a client that will be ``alone`` in every call where others take ``vmap``.

    Raises:
        InvalidVictim: the network does not take such images, gives no logits, changes from call to call, or has no
            second derivative; the message names the layer.
    """
    chosen = chosen_path(model, images, shape, train_batchnorm=train_batchnorm)
    return (chosen.alone if alone else chosen.kind)(model, images, train_batchnorm=train_batchnorm)


def chosen_path(model: nn.Module, images: int, shape: tuple[int, int, int], *, train_batchnorm: bool) -> ChosenPath:
    """The path of :func:`client_gradients`, tried once for each model.

    Raises:
        InvalidVictim: as :func:`client_gradients` says.
    """
    layers = tuple((name, type(layer)) for name, layer in model.named_modules())
    trained = tuple(parameter.requires_grad for parameter in model.parameters())
    key = (min(images, 2), shape, train_batchnorm, layers, trained)
    known = _chosen.setdefault(model, {})
    if key not in known:
        known[key] = _choose(model, trial_of(model, images, shape, train_batchnorm=train_batchnorm), train_batchnorm)
    return known[key]


def _choose(model: nn.Module, trial: Trial, train_batchnorm: bool) -> ChosenPath:
    reasons = []
    for kind in _PATHS:
        try:
            path = kind(trial.model, trial.images, train_batchnorm=train_batchnorm)
            operations_of(path.network).values_are_read = kind is not SharedWeightGradients
            difference = trial.difference(path)
        except (InvalidVictim, RuntimeError, NotImplementedError, TypeError, ValueError) as error:
            reasons.append(f"no {kind.path}: {first_line(error)}")
            continue
        if difference.agrees:
            _log.info("%s by %s%s", type(model).__name__, kind.path, "".join(f"; {reason}" for reason in reasons))
            replaced = tuple(sorted(operations_of(path.network).replaced))
            alone = LoopedClientGradients if _loop_is_for_one(kind, trial, train_batchnorm) else kind
            return ChosenPath(kind, difference, replaced, alone, trial.doubt)
        culprit = next(iter(sorted(difference.wrong)), "the images")
        reasons.append(f"no {kind.path}: the derivative by {culprit} differs by {difference.largest:.1e}")
    raise InvalidVictim(
        f"expected a path whose derivatives are those of plain autograd for {type(model).__name__}, got "
        f"{'; '.join(reasons)}"
    )


def _loop_is_for_one(kind: type[ClientGradients], trial: Trial, train_batchnorm: bool) -> bool:
    if kind is not LooseParameterGradients:
        return False
    try:
        loop = LoopedClientGradients(trial.model, trial.images, train_batchnorm=train_batchnorm)
        return trial.difference(loop, (1,)).agrees
    except (InvalidVictim, RuntimeError, NotImplementedError) as error:
        _log.debug("no loop for one client", exc_info=error)
        return False
