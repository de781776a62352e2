"""Fixtures of NVFLARE's tests, which are skipped where NVFLARE is not installed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.federation.nvflare.audited_site import Site, Trained


@pytest.fixture(scope="session")
def trained() -> "Trained":
    """One step of a network on one picture."""
    from tests.federation.nvflare import audited_site

    return audited_site.trained()


@pytest.fixture
def site(trained: "Trained") -> "Iterator[Site]":
    """One client in one task."""
    from tests.federation.nvflare.audited_site import site_of

    with site_of(trained) as made:
        yield made
