"""Recorded log directories, opened: what each one's case says of its next start, and no byte moved.

A directory is laid out as real files with the checkpoints that were recorded beside it. The other
way round: what we export after the same steps is what the real broker's stop, or its end by
SIGKILL, has left.
"""

from hashlib import sha256
from pathlib import Path

import pytest

from kafka_internals.errors import KafkaException
from kafka_internals.storage.checkpoint_file import CLEAN_SHUTDOWN, checkpoint
from kafka_internals.storage.log_directory import LogDirectory
from tests.golden.cases import GOLDEN, Case
from tests.golden.replay import Replay

LOG_DIRECTORIES = ("log-dir-live", "log-dir-kill", "log-dir-reopen")
# What each damage is called: the file that it is in, and a word of the sentence.
DAMAGE = {
    "torn-tail": ".log: cut", "torn-header": ".log: cut", "zeros-tail": ".log: cut",
    "flip-active": ".log: cut", "flip-older": ".log: corrupt", "missing-index": ".index missing",
    "garbage-index": ".index: fits", "oddlength-index": ".index: 13",
    "missing-timeindex": ".timeindex: missing", "garbage-timeindex": ".timeindex: fits",
    "orphan-index": "999.index: .log", "missing-middle": "5.index: .log",
    "missing-snapshot": ".snapshot: missing", "corrupt-snapshot": ".snapshot: crc",
    "all-snapshots-gone": ".snapshot: missing", "no-epochs": "leader-epoch-checkpoint: missing",
    "missing-txnindex": ".txnindex: tell", "garbage-txnindex": ".txnindex: tell",
    "lowoffset-txnindex": ".txnindex before", "badversion-txnindex": ".txnindex version",
    "leftover-swap": ".log.swap: renamed", "leftover-swap-only": ".log.swap: renamed",
    "leftover-cleaned": ".log.cleaned: deleted", "leftover-cleaned-swap": ".log.swap: deleted"}
NOT_IN_THE_COPY = ("leftover-deleted", "untouched", "untouched-old", "txn")
DAMAGED = sorted(path.parent.name for path in (GOLDEN / "storage").glob("re*/edited1"))
STOPPED = ("dir-bytes-roll", "dir-empty", "dir-index-full", "dir-time-roll-notime", "batch-txn",
           "delete-records", "retention-size", "snapshots-rolls", "reopen-untouched", "fuzz-1")
KILLED = ("rec-untouched", "rec-txn", "recrp-untouched")


def lay_out(case: Case, at: int, root: Path) -> LogDirectory:
    """The recorded directory of step `at`, opened as real files with its checkpoints."""
    expected, stops = case.expect[at], [one for one in case.steps[:at + 1] if one["op"] == "stop"]
    inside = root / f"{case.id}-0"
    inside.mkdir(parents=True)
    for name, content in case.files(expected["dir"]).items():
        (inside / name).write_bytes(content)
    for name, lines in expected["checkpoints"].items():
        (root / name).write_bytes(checkpoint(lines))
    if stops[-1]["how"] != "SIGKILL":
        (root / CLEAN_SHUTDOWN).write_text('{"version":0,"brokerEpoch":5}')
    return LogDirectory.open(root, configs={case.id: case.topic})


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of every file below, by path."""
    return {path.relative_to(root).as_posix(): sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*")) if path.is_file()}


def stopped_at(case: Case) -> int:
    """The last step before the next start whose directory was recorded; else the last of all."""
    starts = [at for at, step in enumerate(case.steps) if step["op"] == "start"]
    return max(at for at, one in enumerate(case.expect)
               if "dir" in one and "checkpoints" in one and at < (starts or [10**9])[0])


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_directory_names_its_damage_and_no_file_changes(name, tmp_path):
    case = Case(f"storage/{name}")
    directory = lay_out(case, stopped_at(case), tmp_path)
    before, kind = digests(tmp_path), name.partition("-")[2]
    found = directory.found(f"{case.id}-0")
    assert digests(tmp_path) == before
    if kind in NOT_IN_THE_COPY:
        assert found == ()
    else:
        file, word = DAMAGE[kind].rsplit(" ", 1)
        assert any(file in one and word in one for one in found) \
            or kind == "flip-older" and any("cut" in one for one in found), found


def test_every_kind_of_damage_is_among_the_cases():
    assert {name.partition("-")[2] for name in DAMAGED} <= {*DAMAGE, *NOT_IN_THE_COPY}


def _has_a_restart(name: str) -> bool:
    return any(step["op"] == "start" for step in Case(f"storage/{name}").steps)


RESTARTED = sorted(path.parent.name for kind in ("rec-", "recrp-", "reopen-")
                   for path in (GOLDEN / "storage").glob(f"{kind}*/case.json")
                   if _has_a_restart(path.parent.name))


@pytest.mark.parametrize("name", RESTARTED)
def test_a_directory_is_read_as_the_next_start_of_the_broker_read_it(name, tmp_path):
    case = Case(f"storage/{name}")
    at, start = stopped_at(case), [step["op"] for step in case.steps].index("start")
    directory = lay_out(case, at, tmp_path)
    before = digests(tmp_path)
    if not case.expect[start].get("started", True):
        with pytest.raises(KafkaException):
            directory.log(f"{case.id}-0")
        return
    log = directory.log(f"{case.id}-0")
    after = list(zip(case.steps, case.expect))[start + 1:]
    (end,) = [one["offset"] for step, one in after if step["op"] == "list_offsets"
              and step["timestamp"] == -1][:1]
    assert log.log_end_offset == end
    (told,) = [one["producers"] for step, one in after if step["op"] == "producers"][:1]
    if not name.endswith("-old"):                # there they were expired by the broker's clock
        assert [(one.producer_id, one.last_sequence) for one in log.producers.active_producers()] \
            == [(one["producerId"], one["lastSequence"]) for one in told]
    assert digests(tmp_path) == before


@pytest.mark.parametrize("name", STOPPED)
def test_what_an_orderly_stop_left_is_without_fault(name, tmp_path):
    case = Case(f"storage/{name}")
    at = max(at for at, one in enumerate(case.expect) if "dir" in one)
    directory = lay_out(case, at, tmp_path)
    before = digests(tmp_path)
    assert directory.found(f"{case.id}-0") == () == directory.log(f"{case.id}-0").found
    assert directory.topic_id(f"{case.id}-0") == case.random["topicId"]
    assert digests(tmp_path) == before


@pytest.mark.parametrize("name", LOG_DIRECTORIES)
def test_the_own_files_of_a_log_directory_are_read(name):
    for moment in sorted(path for path in (GOLDEN / "storage" / name).iterdir() if path.is_dir()):
        directory, before = LogDirectory.open(moment), digests(moment)
        assert directory.meta_properties["cluster.id"] == "AAAAAAAAAAAAAAAAAACrzQ"
        assert list(directory.meta_properties) == ["node.id", "directory.id", "version",
                                                   "cluster.id"]
        assert (directory.clean_shutdown is not None) is (moment / CLEAN_SHUTDOWN).exists()
        flushed, marks = directory.recovery_points, directory.high_watermarks
        if directory.clean_shutdown is not None:
            assert flushed == marks and flushed
        assert all(flushed.get(one, 0) <= mark for one, mark in marks.items())
        assert all(start <= marks[one] for one, start in directory.log_start_offsets.items())
        assert directory.partitions == () and digests(moment) == before


class Exporting(Replay):
    """Exports before each stop: as an orderly one would leave it, or the end by SIGKILL."""

    root: Path

    def _stop(self, step: dict, expected: dict) -> dict | None:
        self._run_until(self.now_ms + 2_000)
        crashed, disk = step["how"] == "SIGKILL", self.disk.copy_of("")
        before = {name: bytes(file.data) for name, file in self.disk.files.items()}
        if not crashed:
            self.manager.twin_on(disk).shut_down()
        if "dir" in expected:
            root = LogDirectory.export(disk, self.root / expected["dir"], crashed=crashed)
            recorded = self.case.files(expected["dir"])
            ours = {path.name: path.read_bytes() for path in (root / f"{self.case.id}-0").iterdir()}
            room = {name: size for name, size in expected["notCopied"]}
            assert {name: one for name, one in ours.items() if name not in room} == recorded
            assert {name: len(one) for name, one in ours.items() if name in room} == room
            assert (root / CLEAN_SHUTDOWN).exists() is not crashed
            assert (root / ".lock").exists() is crashed
        assert {name: bytes(file.data) for name, file in self.disk.files.items()} == before
        return super()._stop(step, expected)


@pytest.mark.parametrize("name", [name for name in STOPPED if name != "fuzz-1"] + list(KILLED))
def test_what_is_exported_is_what_the_real_broker_left(name, tmp_path):
    replay = Exporting(Case(f"storage/{name}"))
    replay.root = tmp_path
    assert replay.run() == []
    assert list(tmp_path.iterdir())
