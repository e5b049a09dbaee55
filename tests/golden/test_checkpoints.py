"""The small files of recorded log directories are read, and written again byte for byte."""

import pytest

from kafka_internals.sim.disk import Disk
from kafka_internals.storage import checkpoint_file as files
from kafka_internals.storage.leader_epoch_file_cache import LeaderEpochFileCache
from tests.golden.cases import GOLDEN, Case

OFFSETS = (files.RECOVERY_POINT_CHECKPOINT, files.HIGH_WATERMARK_CHECKPOINT,
           files.LOG_START_OFFSET_CHECKPOINT, files.CLEANER_OFFSET_CHECKPOINT)


def _recorded(*names: str) -> list:
    return [pytest.param(path, id=path.relative_to(GOLDEN / "storage").as_posix())
            for path in sorted((GOLDEN / "storage").rglob("*")) if path.name in names]


def _on_disk(path) -> Disk:
    disk = Disk(lambda n: 0)
    disk.append("read", path.read_bytes())
    return disk


@pytest.mark.parametrize("path", _recorded(*OFFSETS))
def test_offset_checkpoints(path):
    disk = _on_disk(path)
    offsets = files.read_offsets(disk, "read")
    files.write_offsets(disk, "written", offsets)
    assert disk.read("written") == (path.read_bytes() or b"0\n0\n")


def test_what_the_offset_checkpoints_hold():
    disk = _on_disk(GOLDEN / "storage/log-dir-live/1-stopped" / files.LOG_START_OFFSET_CHECKPOINT)
    offsets = files.read_offsets(disk, "read")
    assert {str(partition): offset for partition, offset in offsets.items()} == {
        "delete-records-0": 12, "delete-records-both-0": 3, "delete-records-none-0": 3,
        "fuzz-1-0": 11, "fuzz-2-0": 13, "fuzz-3-0": 32}


@pytest.mark.parametrize("path", _recorded("leader-epoch-checkpoint"))
def test_leader_epoch_checkpoints(path):
    disk = Disk(lambda n: 0)
    disk.append("log-0/leader-epoch-checkpoint", path.read_bytes())
    cache = LeaderEpochFileCache(disk, "log-0")
    assert cache.earliest_entry.epoch in (0, 2)
    again = LeaderEpochFileCache(disk, "again-0")
    for one in cache.epoch_entries:
        again.assign(*one)
    assert disk.read("again-0/leader-epoch-checkpoint") == path.read_bytes()


@pytest.mark.parametrize("path", _recorded("partition.metadata"))
def test_partition_metadata(path):
    disk = _on_disk(path)
    topic_id = files.read_partition_metadata(disk, "read")
    files.write_partition_metadata(disk, "written", topic_id)
    assert disk.read("written") == path.read_bytes()


def test_the_topic_id_is_the_one_that_was_given():
    directory = GOLDEN / "storage/dir-exact-limit"
    topic_id = files.read_partition_metadata(_on_disk(directory / "end/partition.metadata"), "read")
    assert topic_id == Case("storage/dir-exact-limit").random["topicId"]


@pytest.mark.parametrize("path", _recorded("meta.properties"))
def test_meta_properties(path):
    disk = _on_disk(path)
    properties = files.read_meta_properties(disk, "read")
    assert list(properties) == ["node.id", "directory.id", "version", "cluster.id"]
    seconds = int(path.read_text().split()[4].rpartition(":")[2])
    at_ms = 1_795_432_020_000 + 1_000 * seconds         # 2026-11-23 11:07, as all three say
    files.write_meta_properties(disk, "written", properties, at_ms)
    assert disk.read("written") == path.read_bytes()


@pytest.mark.parametrize("path", _recorded(".kafka_cleanshutdown"))
def test_clean_shutdown(path):
    disk = _on_disk(path)
    epoch = files.read_clean_shutdown(disk, "read")
    assert epoch > 0
    files.write_clean_shutdown(disk, "written", epoch)
    assert disk.read("written") == path.read_bytes()
