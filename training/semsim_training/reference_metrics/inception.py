"""Inception-v3's pooled features, which published FIDs are of.

The network is that of Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, as
torchvision has it. The weights of TensorFlow's model of 2015, with which FID was introduced, ask for three other
poolings: means that leave the padding out, and a maximum in the last block.
"""

from enum import StrEnum
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import inception as published

from semsim.exceptions import InvalidCheckpoint
from semsim_training.victims.state_dicts import state_dict_of
from semsim_training.victims.tensor_files import read_tensor_file

INCEPTION_SIDE = 299
"""The height and the width of the network's input, pixels."""


class InceptionWeights(StrEnum):
    """The published weights, by the number of classes in ``fc``."""

    TORCHVISION = "torchvision"
    """Those of torchvision's ``inception_v3``, 1000 classes."""
    TENSORFLOW = "tensorflow-2015"
    """Those of 2015-12-05, 1008 classes, as pytorch-fid has them: values of FID are compared by these."""


_CLASSES = {1000: InceptionWeights.TORCHVISION, 1008: InceptionWeights.TENSORFLOW}
_UNUSED = ("fc.", "AuxLogits.")


class InceptionFeatures(nn.Module):
    """Images uint8 ``(N, H, W, 3)`` to the 2048 features float32 ``(N, 2048)`` before the last layer."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        """Take a state dict of either weights.

        Raises:
            InvalidCheckpoint: it is of another network.
        """
        super().__init__()
        classes = state["fc.bias"].shape[0] if "fc.bias" in state and state["fc.bias"].ndim else 0
        if classes not in _CLASSES:
            raise InvalidCheckpoint(
                f"expected weights of Inception-v3 whose fc.bias has one of {', '.join(map(str, _CLASSES))} classes, "
                f"got {classes or 'none'}"
            )
        self.weights = _CLASSES[classes]
        blocks = None if self.weights is InceptionWeights.TORCHVISION else _AS_IN_TENSORFLOW
        network = published.Inception3(aux_logits=False, inception_blocks=blocks, init_weights=False)
        network.fc = nn.Identity()
        if isinstance(network.Mixed_7c, _BlockE):
            network.Mixed_7c.takes_maximum = True
        try:
            network.load_state_dict({name: value for name, value in state.items() if not name.startswith(_UNUSED)})
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise InvalidCheckpoint(f"expected the weights of Inception-v3, got others: {reason}") from error
        self.network = network
        self.eval()

    @classmethod
    def read(cls, path: Path) -> "InceptionFeatures":
        """Read a file of weights, safetensors or PyTorch's; nothing in it is executed.

        Raises:
            InvalidCheckpoint: it cannot be read, or holds others.
        """
        return cls(state_dict_of(read_tensor_file(path, InvalidCheckpoint), str(path), InvalidCheckpoint))

    def forward(self, images: Tensor) -> Tensor:
        """The features; levels become -1..1, which both weights take."""
        levels = images.permute(0, 3, 1, 2).float() * (2.0 / 255.0) - 1.0
        features: Tensor = self.network(levels)
        return features


def _mean(maps: Tensor) -> Tensor:
    return functional.avg_pool2d(maps, kernel_size=3, stride=1, padding=1, count_include_pad=False)


# torchvision's blocks give their branches as a list, that of the pooling last.
class _BlockA(published.InceptionA):  # type: ignore[misc]  # torchvision ships no types
    def _forward(self, maps: Tensor) -> list[Tensor]:
        return [*super()._forward(maps)[:-1], self.branch_pool(_mean(maps))]


class _BlockC(published.InceptionC):  # type: ignore[misc]
    def _forward(self, maps: Tensor) -> list[Tensor]:
        return [*super()._forward(maps)[:-1], self.branch_pool(_mean(maps))]


class _BlockE(published.InceptionE):  # type: ignore[misc]
    takes_maximum = False

    def _forward(self, maps: Tensor) -> list[Tensor]:
        pooled = functional.max_pool2d(maps, kernel_size=3, stride=1, padding=1) if self.takes_maximum else _mean(maps)
        return [*super()._forward(maps)[:-1], self.branch_pool(pooled)]


_AS_IN_TENSORFLOW = [
    published.BasicConv2d,
    _BlockA,
    published.InceptionB,
    _BlockC,
    published.InceptionD,
    _BlockE,
    published.InceptionAux,
]
