"""Tests that need a program from outside are collected only where it is; the last lines say so.

Browser tests need a Chromium, those in `tests/kafka` Java and Kafka's tools. `REQUIRE_BROWSER=1`
and `REQUIRE_KAFKA=1` make the absence an error, as CI does.
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kafka_internals.tools import browser
from tests.kafka import dump_log

HERE = Path(__file__).parent


class Need(NamedTuple):
    """A folder of tests, whose they are, what makes them a must, and what is missing here."""

    folder: Path
    who: str
    required_by: str
    absent: str | None


NEEDS = (Need(HERE / "kafka", "Tests with Kafka's own tools", "REQUIRE_KAFKA", dump_log.ABSENT),
         Need(HERE / "browser", "Browser tests", "REQUIRE_BROWSER",
              None if browser.CHROMIUM else browser.ABSENT))
MISSING = [need for need in NEEDS if need.absent]


def pytest_configure() -> None:
    """Where something is required, nothing runs without it."""
    for need in MISSING:
        if os.environ.get(need.required_by) == "1":
            raise pytest.UsageError(f"{need.required_by}=1, and {need.absent}")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the tests whose program is not here."""
    return True if any(need.folder in (collection_path, *collection_path.parents)
                       for need in MISSING) else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: who drives the browser mostly waits."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist=loadfile` all browser tests stay with one worker, too: they share a browser."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "browser" if nodeid.startswith("tests/browser/") \
                else super()._split_scope(nodeid)

    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest goes first, so that no worker is left with it in the end."""
    items.sort(key=lambda item: HERE / "browser" not in item.path.parents
               and not item.path.stem.endswith("schedules"))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """The very last lines, where such tests were among what was asked for."""
    asked = [Path(name.split("::")[0]).resolve() for name in config.args]
    for need in MISSING:
        if any(one == need.folder or one in need.folder.parents for one in asked):
            print(f"\n{need.who} were not collected: {need.absent}.")
