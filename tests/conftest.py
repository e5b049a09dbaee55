"""Browser tests are collected only where there is a Chromium; the last line says so if not.

`REQUIRE_BROWSER=1` makes its absence an error, as CI does.
"""

import os
from pathlib import Path

import pytest

from kafka_internals.tools.browser import ABSENT, CHROMIUM

BROWSER = Path(__file__).parent / "browser"


def pytest_configure() -> None:
    """Where a browser is required, nothing runs without one."""
    if os.environ.get("REQUIRE_BROWSER") == "1" and not CHROMIUM:
        raise pytest.UsageError(f"REQUIRE_BROWSER=1, and {ABSENT}")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the browser tests where no browser is."""
    return True if not CHROMIUM and BROWSER in (
        collection_path, *collection_path.parents) else None


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """The very last line, where browser tests were among what was asked for."""
    asked = [Path(name.split("::")[0]).resolve() for name in config.args]
    if not CHROMIUM and any(one == BROWSER or one in BROWSER.parents for one in asked):
        print(f"\nBrowser tests were not collected: {ABSENT}.")
