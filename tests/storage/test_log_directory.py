"""LogDirectory: what is exported opens again as the same log, and wrong use leaves nothing."""

import pytest

from kafka_internals.errors import ConfigException, KafkaException, KafkaStorageException
from kafka_internals.record_batch import batches
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.log_directory import LogDirectory
from kafka_internals.storage.log_export import derived_id
from kafka_internals.storage.producer_state_entry import encode_snapshot
from tests.storage.brokers import AUDIT, GIVEN, ORDERS, Broker


@pytest.fixture
def broker():
    return Broker()


def _files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*")) if path.is_file()}


def _known(log):
    """What is known of the producers, as a snapshot keeps it."""
    return encode_snapshot(log.producers.active_producers())


def _on(disk):
    return {name: (file.read(0, file.size), file.modified_ms) for name, file in disk.files.items()}


@pytest.mark.parametrize("crashed", [False, True])
@pytest.mark.parametrize("place", ["plain", "Übung 1 & más/日本 log dir"])
def test_the_same_log_comes_back(broker, tmp_path, crashed, place):
    before = _on(broker.disk)
    root = LogDirectory.export(broker.disk, tmp_path / place, configs=GIVEN, crashed=crashed)
    assert _on(broker.disk) == before and root == tmp_path / place
    directory, files = LogDirectory.open(root, configs=GIVEN), _files(root)
    assert directory.partitions == (AUDIT, ORDERS)
    for name in (ORDERS, AUDIT):
        ours, there = broker.manager.logs[name], directory.log(name)
        assert there.content() == ours.content() and list(there.batches()) == list(ours.batches())
        assert there.epochs.epoch_entries == ours.epochs.epoch_entries
        assert _known(there) == _known(ours)
        assert there.read(0, 1 << 20, there.log_end_offset, True, True) \
            == ours.read(0, 1 << 20, ours.log_end_offset, True, True)
        assert directory.found(name) == there.found == ()
        assert there.local.segments.base_offsets == ours.local.segments.base_offsets
    assert _files(root) == files


def test_exported_again_it_is_the_same_byte_for_byte(broker, tmp_path):
    once = LogDirectory.export(broker.disk, tmp_path / "once", configs=GIVEN)
    twice = LogDirectory.export(LogDirectory.open(once).storage, tmp_path / "twice")
    assert _files(once) == _files(twice)


def test_a_start_and_a_stop_leave_what_the_running_broker_would_have_left(broker, tmp_path):
    started = LogDirectory.export(broker.disk, tmp_path / "started", configs=GIVEN)
    twin = broker.disk.copy_of("")
    broker.manager.twin_on(twin).shut_down()
    stopped = LogDirectory.export(twin, tmp_path / "stopped", configs=GIVEN)
    differ = {name for name, content in _files(started).items()
              if content != _files(stopped).get(name)}
    assert differ == {"replication-offset-checkpoint"}      # which only the ReplicaManager writes


def test_a_crash_leaves_the_room_of_the_indexes_and_no_word_of_a_stop(broker, tmp_path):
    clean = _files(LogDirectory.export(broker.disk, tmp_path / "clean", configs=GIVEN))
    crashed = _files(LogDirectory.export(broker.disk, tmp_path / "crashed", crashed=True))
    last = max(name for name in crashed if name.startswith("orders-0") and name.endswith(".index"))
    assert len(crashed[last]) == 4096 > len(clean[last])
    assert ".kafka_cleanshutdown" in clean and ".kafka_cleanshutdown" not in crashed
    assert ".lock" in crashed and ".lock" not in clean
    assert crashed["recovery-point-offset-checkpoint"] == b"0\n0\n"
    assert crashed["replication-offset-checkpoint"] == b""
    assert clean["recovery-point-offset-checkpoint"].decode().splitlines()[2:] \
        == ["audit-log 3 26", "orders 0 26"]
    assert len([name for name in clean if name.endswith(".snapshot")]) \
        == 2 + len([name for name in crashed if name.endswith(".snapshot")])


def test_one_partition_alone_is_the_only_one_in_every_checkpoint(broker, tmp_path):
    root = LogDirectory.export(broker.disk, tmp_path / "one", partitions=["orders-0"],
                               configs=GIVEN, cluster_id=derived_id("mine"), node_id=7,
                               topic_ids={"orders": derived_id("orders")}, broker_epoch=31)
    directory = LogDirectory.open(root)
    assert directory.partitions == (ORDERS,) and directory.recovery_points == {ORDERS: 26}
    assert directory.high_watermarks == {ORDERS: 0} and directory.log_start_offsets == {}
    assert directory.cleaner_offsets == {} and directory.clean_shutdown == 31
    assert directory.topic_id("orders-0") == derived_id("orders")
    assert directory.meta_properties["node.id"] == "7"
    assert directory.meta_properties["cluster.id"] == derived_id("mine")


def test_what_is_derived_is_a_uuid_as_kafka_writes_one():
    ids = {derived_id(f"topic {number}") for number in range(200)}
    assert len(ids) == 200 and {len(one) for one in ids} == {22}
    assert not any(one.startswith("-") for one in ids)


def test_a_place_that_is_taken_is_refused_by_name(broker, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "diary.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="taken is not empty, it holds diary.txt"):
        LogDirectory.export(broker.disk, tmp_path / "taken")
    with pytest.raises(NotADirectoryError, match="file is a file"):
        LogDirectory.export(broker.disk, tmp_path / "file")
    (tmp_path / "empty").mkdir()
    LogDirectory.export(broker.disk, tmp_path / "empty", configs=GIVEN)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["empty", "file", "taken"]


def test_nothing_is_left_of_an_export_that_fails(broker, tmp_path):
    last = max(name for name in broker.disk.files if name.endswith(".log"))

    class Broken(Disk):
        def read(self, name, *more):
            if name == last:
                raise OSError(5, "Input/output error", name)
            return super().read(name, *more)

    broker.disk.__class__ = Broken
    with pytest.raises(OSError, match="Input/output error"):
        LogDirectory.export(broker.disk, tmp_path / "out", crashed=True)
    assert list(tmp_path.iterdir()) == []


def test_wrong_use_is_named(broker, tmp_path):
    with pytest.raises(ValueError, match="no directory of payments-0; there are audit-log-3"):
        LogDirectory.export(broker.disk, tmp_path / "out", partitions=["payments-0"])
    with pytest.raises(ConfigException, match="segment.bytes"):
        LogDirectory.export(broker.disk, tmp_path / "out", configs={"orders": {"segment.byte": 1}})
    broker.manager.shut_down()
    with pytest.raises(ValueError, match="crashed=True: there is a .kafka_cleanshutdown"):
        LogDirectory.export(broker.disk, tmp_path / "out", crashed=True)
    assert list(tmp_path.iterdir()) == []


def test_opening_what_is_no_log_directory_is_named(broker, tmp_path):
    with pytest.raises(NotADirectoryError, match="absent is no directory"):
        LogDirectory.open(tmp_path / "absent")
    root = LogDirectory.export(broker.disk, tmp_path / "out", configs=GIVEN)
    with pytest.raises(ValueError, match="orders-0 holds the segments of one partition; .*out$"):
        LogDirectory.open(root / "orders-0")
    with pytest.raises(ValueError, match="payments-0 is not in this .* audit-log-3, orders-0"):
        LogDirectory.open(root).log("payments-0")


def test_a_damaged_checkpoint_is_named_when_it_is_read(broker, tmp_path):
    root = LogDirectory.export(broker.disk, tmp_path / "out", configs=GIVEN)
    (root / "replication-offset-checkpoint").write_text("0\n3\norders 0 1\n")
    with pytest.raises(KafkaStorageException, match="Expected 3 entries"):
        LogDirectory.open(root).high_watermarks


def test_opening_reads_nothing_until_it_is_asked(broker, tmp_path, monkeypatch):
    root = LogDirectory.export(broker.disk, tmp_path / "out", configs=GIVEN)
    directory, read = LogDirectory.open(root, configs=GIVEN), []
    whole = type(directory.storage).read
    monkeypatch.setattr(type(directory.storage), "read",
                        lambda self, name, *more: read.append(name) or whole(self, name, *more))
    assert directory.partitions and read == []
    directory.log("orders-0")
    assert read and not any(name.startswith("audit-log") for name in read)


def _epochs(path, content) -> set[int]:
    """Where leader epochs stand, which no checksum covers."""
    places, at = set(), 0
    for batch in batches(content) if path.suffix == ".log" else ():
        places |= set(range(at + 12, at + 16))
        at += batch.size
    return places


@pytest.mark.parametrize("crashed", [False, True])
def test_whatever_byte_flips_it_is_said_in_words_and_no_file_changes(broker, tmp_path, crashed):
    root = LogDirectory.export(broker.disk, tmp_path / "out", configs=GIVEN, crashed=crashed)
    covered = (".log", ".snapshot", ".txnindex")
    for path in sorted((root / "orders-0").iterdir()):
        content = path.read_bytes()
        for at in range(3, min(len(content), 200), 41):
            path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1:])
            before, found = _files(root), LogDirectory.open(root, configs=GIVEN).found("orders-0")
            assert _files(root) == before
            assert found or path.suffix not in covered or at in _epochs(path, content), (path.name,
                                                                                         at)
        path.write_bytes(content)


def test_a_log_that_the_broker_would_not_start_with_says_so(broker, tmp_path):
    root = LogDirectory.export(broker.disk, tmp_path / "out", configs=GIVEN)
    index = max((root / "orders-0").glob("*.txnindex"))
    index.write_bytes(b"\0\x09" + index.read_bytes()[2:])
    directory = LogDirectory.open(root, configs=GIVEN)
    with pytest.raises(KafkaException, match="has version 9; the highest one known here is 0"):
        directory.log("orders-0")
    assert directory.found("orders-0")[0].startswith("the broker does not start: entry 0 of")
    assert directory.log("audit-log-3").log_end_offset == 26


def test_what_is_wrong_with_the_topic_id_is_said(broker, tmp_path):
    root = LogDirectory.export(broker.disk, tmp_path / "out", configs=GIVEN)
    metadata = root / "orders-0/partition.metadata"
    metadata.write_text("version: 0\ntopic_id: none")
    (one,) = LogDirectory.open(root, configs=GIVEN).found("orders-0")
    assert one.startswith("orders-0/partition.metadata has to hold")
    metadata.unlink()
    assert LogDirectory.open(root, configs=GIVEN).found("orders-0") \
        == ("partition.metadata: missing",)
