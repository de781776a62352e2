"""A refusal of clients that moved buffers in a way that attacks cannot repeat."""

from collections.abc import Mapping

from torch import Tensor, nn

from semsim.exceptions import InvalidUpdate
from semsim_training.observations.observation import running_statistics
from semsim_training.observations.update_kind import UpdateKind


def refuse_moved_buffers(model: nn.Module, sent: Mapping[str, Tensor], kind: UpdateKind) -> None:
    """Refuse a client that moved a floating buffer which is no running statistic of batch normalisation.

    Its forward pass did something in training mode that attacks do not: an instance normalisation that tracks its
    statistics used those of the batch, or a spectral norm made a step of its power iteration.

    Raises:
        InvalidUpdate: such a buffer moved; the error names it.
    """
    known = running_statistics(model)
    for name, before in model.named_buffers():
        if name in sent and name not in known and before.is_floating_point() and _moved(sent[name], before, kind):
            raise InvalidUpdate(
                f"expected buffers that training leaves alone, or batch normalisation, got {name} moved: SemSim cannot "
                "repeat this"
            )


def _moved(came: Tensor, before: Tensor, kind: UpdateKind) -> bool:
    came = came.detach().cpu()
    change = came.nan_to_num()  # a mask of -inf less itself is NaN
    if kind is not UpdateKind.AFTER and not change.any():
        return False  # zeros in the place of a gradient, or of a change
    if kind is UpdateKind.DELTA or came.shape != before.shape:
        return True
    # A buffer that was sent in half precision is rounded and has not moved.
    return not came.double().nan_to_num().equal(before.detach().cpu().to(came.dtype).double().nan_to_num())
