"""The small text files of a log directory: all or nothing, and damage is named."""

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.errors import KafkaStorageException
from kafka_internals.sim.disk import Disk
from kafka_internals.storage import checkpoint_file as files

NAME = files.RECOVERY_POINT_CHECKPOINT
A, B = TopicPartition("a.b-c", 12), TopicPartition("orders", 0)


@pytest.fixture
def disk() -> Disk:
    return Disk(lambda n: 0)


def test_version_count_and_one_entry_a_line(disk):
    files.write_offsets(disk, NAME, {A: 3, B: 0})
    assert disk.read(NAME) == b"0\n2\na.b-c 12 3\norders 0 0\n"
    assert files.read_offsets(disk, NAME) == {A: 3, B: 0}


def test_a_checkpoint_survives_a_power_loss_whole(disk):
    files.write_offsets(disk, NAME, {A: 3})
    files.write_offsets(disk, NAME, {B: 4})
    disk.power_loss()
    assert files.read_offsets(disk, NAME) == {B: 4}


def test_an_empty_file_and_a_missing_one_have_no_entries(disk):
    disk.append("empty", b"")
    assert files.read_checkpoint(disk, "empty") == files.read_checkpoint(disk, "none") == []
    files.write_checkpoint(disk, "written", ())
    assert disk.read("written") == b"0\n0\n" and files.read_checkpoint(disk, "written") == []


@pytest.mark.parametrize("content, why", [
    (b"1\n0\n", "Unrecognized version .* '1'; '0' is known"),
    (b"0\n", "Expected no number of entries .* but found 0"),
    (b"0\nx\n", "Expected x entries .* but found 0"),
    (b"0\n2\norders 0 5\n", "Expected 2 entries .* but found 1"),
    (b"0\n0\norders 0 5\n", "Expected 0 entries .* but found 1"),
    (b"0\n1\norders 0\n", "Malformed line .* 'orders 0' is not 'topic partition offset'"),
    (b"0\n1\norders zero 5\n", "Malformed line"), (b"\xff\xfe", "Unrecognized version")])
def test_a_damaged_checkpoint_is_named(disk, content, why):
    disk.append(NAME, content)
    with pytest.raises(KafkaStorageException, match=why):
        files.read_offsets(disk, NAME)


def test_the_id_of_a_topic_is_written_without_a_last_newline(disk):
    files.write_partition_metadata(disk, "p", "_UnqlFBURN6f5Fk_loY26g")
    assert disk.read("p") == b"version: 0\ntopic_id: _UnqlFBURN6f5Fk_loY26g"
    assert files.read_partition_metadata(disk, "p") == "_UnqlFBURN6f5Fk_loY26g"
    assert files.read_partition_metadata(disk, "none") is None


@pytest.mark.parametrize("content", [b"", b"version: 1\ntopic_id: _UnqlFBURN6f5Fk_loY26g",
                                     b"version: 0\ntopic_id: short", b"version: 0",
                                     b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA"])
def test_a_file_without_a_topic_id_is_named(disk, content):
    disk.append("p", content)
    with pytest.raises(KafkaStorageException, match="p has to hold 'version: 0'"):
        files.read_partition_metadata(disk, "p")


def test_the_id_that_stands_for_none_is_not_written(disk):
    with pytest.raises(ValueError, match="id of no topic"):
        files.write_partition_metadata(disk, "p", "A" * 22)
    assert not disk.exists("p")


def test_meta_properties_begin_with_when_they_were_written(disk):
    files.write_meta_properties(disk, "m", {"node.id": "1", "version": "1"}, 1_767_225_600_000)
    assert disk.read("m") == b"#\n#Thu Jan 01 00:00:00 UTC 2026\nnode.id=1\nversion=1\n"
    assert files.read_meta_properties(disk, "m") == {"node.id": "1", "version": "1"}
    assert files.read_meta_properties(disk, "none") == {}


@pytest.mark.parametrize("content, epoch", [
    (b'{"version":0,"brokerEpoch":26}', 26), (b"", None), (b"{", None), (b"[]", None),
    (b'{"version":0}', None), (b"\xff", None)])
def test_an_orderly_stop_is_known_by_its_broker_epoch(disk, content, epoch):
    disk.append("c", content)
    assert files.read_clean_shutdown(disk, "c") == epoch
    assert files.read_clean_shutdown(disk, "none") is None
