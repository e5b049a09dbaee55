"""Tests that need a browser, or Kafka's tools, are left out without it and the last line says so.

Where such a program is required, its absence is an error.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kafka import dump_log

ROOT = Path(__file__).parents[2]
NEEDS = {
    "tests/browser": ("Browser tests", "REQUIRE_BROWSER",
                      "there is no Chromium on the PATH (apt-get install chromium)"),
    "tests/kafka": ("Tests with Kafka's own tools", "REQUIRE_KAFKA",
                    "there is no Java on the PATH (apt-get install default-jre-headless)")}


def _collect(*names: str, **variables: str) -> subprocess.CompletedProcess:
    left_out = {"PATH", *(variable for _, variable, _ in NEEDS.values())}
    clean = {k: v for k, v in os.environ.items() if k not in left_out}
    return subprocess.run([sys.executable, "-m", "pytest", "--collect-only", "-q", *names],
                          cwd=ROOT, capture_output=True, text=True,
                          env={**clean, "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                               **variables})


@pytest.mark.parametrize("folder", NEEDS)
@pytest.mark.parametrize("others", [("tests/config",), ()])
def test_they_are_left_out_and_the_last_line_says_so(folder, others):
    told, (who, _, absent) = _collect(folder, *others).stdout, NEEDS[folder]
    assert told.rstrip().splitlines()[-1] == f"{who} were not collected: {absent}."
    assert folder not in told and ("tests/config" in others) is ("test_config" in told)


def test_nothing_is_said_where_they_were_not_asked_for():
    done = _collect("tests/config")
    assert done.returncode == 0 and "not collected" not in done.stdout


@pytest.mark.parametrize("variable, absent", [need[1:] for need in NEEDS.values()])
def test_where_one_is_required_its_absence_fails(variable, absent):
    done = _collect("tests/config", **{variable: "1"})
    assert done.returncode != 0 and f"{variable}=1, and {absent}" in done.stderr


def test_java_without_kafkas_tools_says_how_to_fetch_them(monkeypatch, tmp_path):
    monkeypatch.setattr(dump_log, "JAVA", "java")
    monkeypatch.setattr(dump_log, "JARS", tmp_path)
    assert dump_log._absent() == "Kafka's tools are not in tests/kafka/jars (mvn -f " \
                                 "tests/kafka/pom.xml dependency:copy-dependencies)"
    (tmp_path / "kafka-tools-4.4.0.jar").touch()
    assert dump_log._absent() is None
