"""A multilayer perceptron: the victim whose first layer gives the image away in closed form."""

from torch import Tensor, nn


class Perceptron(nn.Module):
    """One hidden ReLU layer of ``width`` units."""

    def __init__(self, classes: int, size: int, width: int) -> None:
        """``size`` is the side of the square images, in pixels."""
        super().__init__()
        self.hidden = nn.Linear(3 * size * size, width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, classes)`` of images ``(B, 3, size, size)``."""
        logits: Tensor = self.classifier(self.hidden(images.flatten(1)).relu())
        return logits
