"""What can be refused before a worker starts: BentoML would restart a worker that fails, for ever."""

from semsim.artifact import Artifact
from semsim.providers import check_required
from service.settings import load_settings


def check() -> None:
    """Read the settings and the artifact, and look for the required provider; the model is not loaded.

    Raises:
        SemSimError: the service could not start with them.
    """
    settings = load_settings()
    check_required(settings.providers)
    Artifact.load(settings.artifact)
