"""The counts of the network's runs: who is told of them, and how a process tells those of its runs to another."""

from dataclasses import dataclass, field
from typing import Protocol

from semsim_service.core.metrics import EmbeddingSource


class RunObserver(Protocol):
    """Is told of each run of the network. Any thread may call it."""

    def ran(self, images: int, pairs: int) -> None:
        """Note a run over ``images``, by which ``pairs`` became complete."""

    def spared(self, images: int, source: EmbeddingSource) -> None:
        """Note images that needed no run, since their embeddings came from elsewhere."""


@dataclass
class NotedRuns:
    """Notes what it is told, until somebody else is told of it."""

    runs: list[tuple[int, int]] = field(default_factory=list)
    others: list[tuple[int, EmbeddingSource]] = field(default_factory=list)

    def ran(self, images: int, pairs: int) -> None:
        """Note a run."""
        self.runs.append((images, pairs))

    def spared(self, images: int, source: EmbeddingSource) -> None:
        """Note images without a run."""
        self.others.append((images, source))

    def taken(self) -> "NotedRuns":
        """All notes so far, which are not kept here any more."""
        taken = NotedRuns(self.runs[:], self.others[:])
        del self.runs[: len(taken.runs)], self.others[: len(taken.others)]
        return taken

    def tell(self, observer: RunObserver) -> None:
        """Tell another of all notes."""
        for run in self.runs:
            observer.ran(*run)
        for images in self.others:
            observer.spared(*images)
