"""A real browser for the tests of pages."""

from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

_CHROMIUM, _DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,900",
)  # fmt: skip

needs_chromium = pytest.mark.skipif(
    not (_CHROMIUM.exists() and _DRIVER.exists()),
    reason=f"needs {_CHROMIUM} and {_DRIVER}: install Debian's packages chromium and chromium-driver",
)


def start_chromium(profile: Path) -> Chrome:
    """A browser with a profile of its own, which keeps what its console says."""
    profile.mkdir()
    options = ChromeOptions()
    options.binary_location = str(_CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    return Chrome(options=options, service=ChromeService(str(_DRIVER)))
