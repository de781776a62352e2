"""The features that FID compares, by the directory of their artifact."""

from pathlib import Path

from semsim.exceptions import InvalidManifest
from semsim.fid.fid_artifact import FidArtifact
from semsim.fid.fid_network import FidNetwork
from semsim.fid.frechet import ArtifactFeatures, FeatureExtractor
from semsim.providers import ProviderSettings


def feature_extractor(artifact: Path) -> FeatureExtractor:
    """The network of an FID artifact, or the embeddings of a model artifact, which make another metric.

    Raises:
        ArtifactError: it is missing, invalid, or not the one that its manifest describes.
    """
    try:
        of_fid = FidArtifact.load(artifact)
    except InvalidManifest:
        return ArtifactFeatures(artifact)
    return FidNetwork(of_fid, ProviderSettings())
