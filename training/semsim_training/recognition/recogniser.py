"""A recogniser: a classifier that enlarges small images, and its files."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from semsim.exceptions import InvalidCheckpoint
from semsim_training.backbones import build_backbone
from semsim_training.embedding import EmbeddingNetwork
from semsim_training.recognition.recogniser_description import RecogniserDescription


class Recogniser(nn.Module):
    """A network that takes images of any size and gives the probabilities of its classes."""

    def __init__(self, description: RecogniserDescription, pretrained: Path | None = None) -> None:
        """Build the network. Its backbone starts from the weights in the file ``pretrained``, where one is given.

        Raises:
            InvalidCheckpoint: no such architecture or file, or the weights are another architecture's.
        """
        super().__init__()
        self.description = description
        backbone = build_backbone(description.architecture, pretrained)
        self.embedding = EmbeddingNetwork(backbone, mean=description.mean, std=description.std, normalize=False)
        with torch.no_grad():
            side = description.resolution
            features = self.embedding.eval()(torch.zeros(1, side, side, 3)).shape[1]
        self.head = nn.Linear(features, len(description.classes))
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N, C)`` of images ``(N, 3, H, W)`` in levels 0..255."""
        side = self.description.resolution
        enlarged = F.interpolate(images, (side, side), mode="bicubic").clamp(0, 255)
        logits: Tensor = self.head(self.embedding(enlarged.permute(0, 2, 3, 1)))
        return logits

    @torch.no_grad()
    def probabilities(self, images: NDArray[np.uint8], batch_size: int = 64) -> NDArray[np.float64]:
        """The probability of each class, float64 ``(N, C)``, for images ``(N, H, W, 3)``.

        It is the mean over an image and its mirror image.
        """
        self.eval()
        device, probabilities = next(self.parameters()).device, []
        for start in range(0, len(images), batch_size):
            pixels = torch.from_numpy(images[start : start + batch_size].copy()).permute(0, 3, 1, 2).to(device).float()
            both = self(torch.cat([pixels, pixels.flip(3)])).double().softmax(1).reshape(2, len(pixels), -1)
            probabilities.append(both.mean(0).cpu().numpy())
        return np.concatenate(probabilities) if probabilities else np.zeros((0, len(self.description.classes)))


def save_recogniser(recogniser: Recogniser, description: RecogniserDescription, path: Path) -> None:
    """Write the weights to ``path`` (safetensors, half precision), and the description beside it, with suffix .json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in recogniser.state_dict().items()
    }
    save_file(state, path)
    path.with_suffix(".json").write_text(description.model_dump_json(indent=2) + "\n")


def load_recogniser(path: Path) -> Recogniser:
    """The recogniser of a checkpoint, in evaluation mode.

    Raises:
        InvalidCheckpoint: no such files, or the weights are not the network's.
    """
    recogniser = Recogniser(RecogniserDescription.read(path.with_suffix(".json")))
    try:
        recogniser.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InvalidCheckpoint(f"expected a recogniser's weights at {path}: {error}") from error
    return recogniser.eval()
