"""A site of the example: scikit-learn's handwritten digits, a network, and what the leakage filter asks for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from nvflare.apis.fl_context import FLContext
from sklearn.datasets import load_digits
from torch import Tensor, nn

from semsim.images import RGBImage
from semsim_federation import Audit, Decision
from semsim_federation.audit_gallery import append_gallery
from semsim_federation.nvflare import AuditedClient
from semsim_federation.series import append
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.gradients.update import LocalTraining

SIDE = 32
BATCH = 1
LEARNING_RATE = 0.01
CONTROLS = 200
INPUTS = Inputs(size=SIDE, classes=10, mean=127.5, std=127.5)


class DigitNetwork(nn.Module):
    """A fully connected network, whose first layer gives images away in closed form."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(3 * SIDE * SIDE, 64)
        self.classifier = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, 10)`` of images ``(B, 3, 32, 32)``, -1..1."""
        logits: Tensor = self.classifier(self.hidden(images.flatten(1)).relu())
        return logits


def digits() -> tuple[list[RGBImage], list[int]]:
    """All 1,797 digits as RGB images of 32 x 32 pixels, and their labels."""
    bunch = load_digits()
    levels = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    enlarged = levels.repeat(SIDE // 8, axis=1).repeat(SIDE // 8, axis=2)
    return list(np.repeat(enlarged[..., None], 3, axis=-1)), [int(label) for label in bunch.target]


def batch_of(site: str, round: int) -> tuple[list[RGBImage], list[int]]:
    """Return the images and labels that ``site`` trains on in ``round``."""
    images, labels = digits()
    number = int(site.rpartition("-")[2])  # the simulator calls its clients site-1, site-2 and so on
    first = CONTROLS + BATCH * (51 * number + round)
    return images[first : first + BATCH], labels[first : first + BATCH]


def tensor_of(images: Sequence[RGBImage]) -> Tensor:
    """Images as :class:`DigitNetwork` takes them, ``(B, 3, 32, 32)``."""
    return torch.as_tensor(np.stack(images), dtype=torch.float32).permute(0, 3, 1, 2) / 127.5 - 1


class DigitsClient(AuditedClient):
    """The client that the filter audits.

    Args:
        kept: a folder of the site for its series and its gallery; empty for none.
        originals: True to draw originals in the gallery, too.
    """

    def __init__(self, kept: str = "", originals: bool = False) -> None:
        super().__init__()
        self.kept, self.originals = kept, originals  # NVFLARE writes a job's arguments from attributes of their names

    def audit(self, fl_ctx: FLContext) -> Audit:
        """Audit one step of SGD, against digits that no client trains on."""
        return Audit(
            DigitNetwork(),
            INPUTS,
            training=LocalTraining(LEARNING_RATE, BATCH),
            attacks=("closed-form",),
            controls=digits()[0][:CONTROLS],
        )

    def batch(self, fl_ctx: FLContext, round: int | None) -> tuple[list[RGBImage], list[int]]:
        """Return the batch of the round."""
        if round is None:
            raise ValueError("expected the number of a round, got none")
        return batch_of(fl_ctx.get_identity_name(), round)

    def record(self, fl_ctx: FLContext, decision: Decision) -> None:
        """Append the decision to the site's series, and its reconstructions to the site's gallery."""
        if not self.kept or decision.report is None:
            return
        folder, sent = Path(self.kept), decision.send is not None
        folder.mkdir(parents=True, exist_ok=True)
        site = fl_ctx.get_identity_name()
        originals = self.batch(fl_ctx, decision.report.round)[0] if self.originals else None
        append(folder / f"{site}.parquet", decision.report, sent)
        append_gallery(folder / f"{site}.png", decision.report, sent, originals=originals)
