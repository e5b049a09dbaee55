"""The same run gives the same digest, bytes and captions in every process and Python there is."""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHONS = [sys.executable, *filter(None, (shutil.which(f"python3.{minor}")
                                          for minor in (11, 12, 13, 14)))]
ENGINE = """
from hashlib import sha256
from kafka_internals.cluster.schedules import Schedule
for seed in range(5, 17):
    schedule = Schedule(seed)
    schedule.run()
    print(schedule.cluster.trace.digest())
    machine = schedule.cluster.machine
    for node in (machine.controller, *machine.brokers.values()):
        for name, file in sorted(node.disk.files.items()):
            print(node.name, name, len(file.data), sha256(file.data).hexdigest())
"""
# What ENGINE says, in short. Whoever changes it on purpose writes the new one here, and says why.
# Last: the controller's disk is told, too; who shuts down stops fetching where it is out of an ISR.
RECORDED = "91d1141ccd6a6226"
FILM = """
from kafka_internals.viz import encode
from kafka_internals.viz.replica_view import replica_view
from tests.viz import stories
film = replica_view.data(stories.faults(), "orders-0", beliefs=[1])
print(encode.digest(film), [frame["say"] for frame in film["frames"]["truth"]])
"""


def _said(python: str, code: str, hash_seed: str) -> str:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    return subprocess.run([python, "-c", code], cwd=ROOT, env=environment, text=True,
                          capture_output=True, check=True).stdout


@pytest.mark.parametrize("code", [ENGINE, FILM], ids=["engine", "film"])
def test_a_run_does_not_depend_on_the_hash_seed(code):
    assert _said(sys.executable, code, "1") == _said(sys.executable, code, "4242") != ""


def test_a_run_is_what_it_was_when_this_was_written():
    said = _said(sys.executable, ENGINE, "0")
    assert "orders-0/00000000000000000000.log" in said and "replication-offset" in said
    assert sha256(said.encode()).hexdigest()[:16] == RECORDED


def _has_what_it_needs(python: str) -> bool:
    tried = subprocess.run([python, "-c", "import google_crc32c, cramjam"], capture_output=True)
    return tried.returncode == 0


def test_a_run_does_not_depend_on_the_python():
    usable = [python for python in PYTHONS if _has_what_it_needs(python)]
    assert sys.executable in usable
    assert len({_said(python, ENGINE, "0") for python in usable}) == 1
