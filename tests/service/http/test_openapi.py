"""The OpenAPI document."""

import json

from semsim_service.http.openapi import openapi
from tests.conftest import ROOT
from tests.service.live import CLIENT, LiveService


def test_the_committed_openapi_is_current(service: LiveService) -> None:
    """docs/openapi.json, which `make openapi` writes, agrees with the code and the live service."""
    committed = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert committed == openapi()
    assert CLIENT.get(f"{service.url}/docs.json").json() == committed
