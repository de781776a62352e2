"""A scorer as it travels to another process or machine, where its session is opened anew."""

from dataclasses import dataclass
from typing import Self

from semsim.artifact import Artifact
from semsim.chance import ControlEmbeddings
from semsim.lpips_artifact import LpipsArtifact
from semsim.providers import CPUOptions, Provider, ProviderSettings
from semsim.scorer import Scorer


@dataclass(frozen=True, slots=True)
class ScorerRecipe:
    """The parts that a scorer is made of. It carries the graph itself, so that machines need share no disk."""

    artifact: Artifact
    provider: Provider
    batch_size: int
    controls: ControlEmbeddings | None
    lpips: LpipsArtifact | None = None

    @classmethod
    def of(cls, scorer: Scorer) -> Self:
        """The recipe of a scorer, with the execution provider that runs it and the controls that it has."""
        lpips = None if scorer.lpips is None else scorer.lpips.artifact
        return cls(scorer.artifact, scorer.provider.active, scorer.batch_size, scorer.controls, lpips)

    @property
    def needs_gpu(self) -> bool:
        """True where the network runs on a GPU."""
        return self.provider is not Provider.CPU

    def open(self) -> Scorer:
        """The scorer, with one thread of a CPU: several workers share the cores.

        Raises:
            ProviderUnavailable: the provider of the first scorer is not usable here; the numbers of another one could
                differ.
        """
        settings = ProviderSettings(order=(self.provider,), required=self.provider, cpu=CPUOptions(threads=1))
        scorer = Scorer(self.artifact, providers=settings, batch_size=self.batch_size, controls=False, lpips=self.lpips)
        scorer.controls = self.controls
        return scorer
