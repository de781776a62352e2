"""The prior on the codes of a generator that was trained with standard normal ones."""

from dataclasses import dataclass

from torch import Tensor

from semsim_training.attacks.priors import Candidates


@dataclass(frozen=True, slots=True)
class CodeDivergence:
    """The divergence of a normal distribution from the standard one, with the mean and deviation of a code's entries.

    It is the regulariser of the code of Generative Gradient Leakage, summed over the codes of a client's images.
    """

    weight: float

    def __call__(self, candidates: Candidates) -> Tensor:
        """The penalties ``(N * restarts,)``.

        Raises:
            ValueError: the search moves no codes ``(N * restarts, images, code)``.
        """
        codes = candidates.unknowns
        if codes is None or codes.ndim != 3:
            raise ValueError(f"expected codes, got {None if codes is None else tuple(codes.shape)}")
        mean, variance = codes.mean(dim=2), codes.var(dim=2, correction=0)
        return self.weight * 0.5 * (mean.square() + variance - 1 - (variance + 1e-10).log()).sum(dim=1)
