"""Without a Chromium, browser tests are left out and the last line says so; or that is an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAST = ("Browser tests were not collected: there is no Chromium on the PATH "
        "(apt-get install chromium).")


def _collect(*names: str, **variables: str) -> subprocess.CompletedProcess:
    clean = {k: v for k, v in os.environ.items() if k not in ("PATH", "REQUIRE_BROWSER")}
    return subprocess.run([sys.executable, "-m", "pytest", "--collect-only", "-q", *names],
                          cwd=ROOT, capture_output=True, text=True,
                          env={**clean, "PATH": "", **variables})


@pytest.mark.parametrize("names", [("tests/browser", "tests/config"), ("tests/browser",)])
def test_they_are_left_out_and_the_last_line_says_so(names):
    told = _collect(*names).stdout
    assert told.rstrip().splitlines()[-1] == LAST
    assert "tests/browser" not in told and ("tests/config" in names) is ("test_config" in told)


def test_nothing_is_said_where_they_were_not_asked_for():
    done = _collect("tests/config")
    assert done.returncode == 0 and LAST not in done.stdout


def test_where_a_browser_is_required_its_absence_fails():
    done = _collect("tests/config", REQUIRE_BROWSER="1")
    assert done.returncode != 0
    assert "REQUIRE_BROWSER=1, and there is no Chromium on the PATH" in done.stderr
