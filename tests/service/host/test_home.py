"""Each server has a BENTOML_HOME of its own."""

import pytest

from tests.service.live import CLIENT, LiveService
from tests.service.refusing import BENTOML_SERVE, refused

pytestmark = pytest.mark.slow


def test_a_second_server_does_not_wipe_the_firsts_metrics(service: LiveService) -> None:
    """A second server with the same home is refused before BentoML empties the metrics of the first."""
    before = CLIENT.get(f"{service.url}/metrics").text
    assert "expected a BENTOML_HOME of its own for each server" in refused(service.home, command=BENTOML_SERVE)
    assert CLIENT.get(f"{service.url}/metrics").text.count("\n") >= before.count("\n")
