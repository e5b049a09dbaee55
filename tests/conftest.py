"""Browser tests are collected only where there is a Chromium; the last line says so if not."""

import os
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
BROWSER = Path(__file__).parent / "browser"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the browser tests where no browser is, unless one is required."""
    if CHROMIUM.exists() or BROWSER not in (collection_path, *collection_path.parents):
        return None
    if os.environ.get("REQUIRE_BROWSER") == "1":
        raise pytest.UsageError(f"REQUIRE_BROWSER=1, and there is no {CHROMIUM}: "
                                f"apt-get install chromium")
    return True


def pytest_unconfigure() -> None:
    """The very last line."""
    if not CHROMIUM.exists():
        print(f"\nBrowser tests were not collected: there is no {CHROMIUM} "
              f"(apt-get install chromium).")
