"""UnifiedLog on a disk: offsets, reads by Kafka's rules, refusals, and what a crash leaves."""

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.config import TOPIC_CONFIG
from kafka_internals.errors import (
    CorruptRecordException,
    InvalidRecordException,
    OffsetOutOfRangeException,
    RecordTooLargeException,
    UnexpectedAppendOffsetException,
)
from kafka_internals.record_batch import RecordBatch, batches, encode
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.file_records import log_file
from kafka_internals.storage.unified_log import UnifiedLog

NAME = TopicPartition("orders", 0)
NOW_MS = 1_767_225_600_000


def batch(records: int = 1, **state: int) -> RecordBatch:
    return RecordBatch(encode([(1_000 + n, None, b"v" * 20, ()) for n in range(records)], **state))


@pytest.fixture
def disk() -> Disk:
    return Disk(lambda n: 0)


@pytest.fixture
def log(disk) -> UnifiedLog:
    made = UnifiedLog(NAME, disk)
    for records in (10, 10, 5):
        made.append_as_leader(batch(records), 3, NOW_MS)
    return made


def test_a_leader_gives_offsets_and_epoch(log):
    assert [(b.base_offset, b.last_offset, b.leader_epoch) for b in log.batches()] == [
        (0, 9, 3), (10, 19, 3), (20, 24, 3)]
    assert log.log_end_offset == 25


def test_g_b_3_a_read_begins_at_the_batch_and_at_the_end_there_is_nothing(log):
    found = list(batches(log.read(15, 1_000_000, 25).records))
    assert [one.base_offset for one in found] == [10, 20]
    assert log.read(25, 1_000_000, 25).records == b""
    for offset in (26, -1):
        with pytest.raises(OffsetOutOfRangeException, match=f"offset {offset} "):
            log.read(offset, 1_000_000, 25)


def test_a_read_ends_before_the_limit_that_its_reader_may_see(log):
    assert [one.base_offset for one in batches(log.read(0, 1_000_000, 10).records)] == [0]


def test_g_b_5_the_first_batch_comes_whole_only_where_one_message_is_promised(log):
    size = log.batches()[0].size
    assert len(log.read(0, 1, 25, min_one_message=True).records) == size
    assert log.read(0, size - 1, 25, min_one_message=False).records == b""


def test_a_read_that_is_full_ends_in_a_torn_batch(log):
    first, second = log.batches()[0].size, log.batches()[1].size
    torn = log.read(0, first + second - 1, 25).records
    assert len(torn) == first + second - 1
    assert [one.base_offset for one in batches(torn)] == [0]


def test_what_a_follower_holds_is_what_the_leader_stored_byte_for_byte(log, disk):
    follower = UnifiedLog(TopicPartition("copy", 0), disk)
    for one in batches(log.read(0, 1_000_000, 25).records):
        follower.append_as_follower([one], 3, NOW_MS)
    assert follower.content() == log.content() == disk.read(log_file(NAME))
    assert list(follower.batches()) == list(log.batches())


def test_the_bytes_between_two_offsets_are_counted_in_whole_batches(log):
    sizes = [one.size for one in log.batches()]
    for (start, end), size in {(0, 25): sum(sizes), (0, 10): sizes[0], (9, 10): sizes[0],
                               (10, 25): sum(sizes[1:]), (25, 25): 0, (20, 10): 0}.items():
        assert log.bytes_between(start, end) == size


def test_g_b_4_the_size_limit_is_the_leaders_alone(log, disk):
    large = batch(30)
    for name, limit in (("fits", large.size), ("small", large.size - 1)):
        limited = UnifiedLog(TopicPartition(name, 0), disk,
                             TOPIC_CONFIG.parse({"max.message.bytes": limit}))
        if name == "fits":
            assert limited.append_as_leader(large, 0, NOW_MS).last_offset == 29
    with pytest.raises(RecordTooLargeException, match=f"is {large.size} bytes"):
        limited.append_as_leader(large, 3, NOW_MS)
    log.append_as_follower([large.with_offsets(25, 3)], 3, NOW_MS)
    assert log.log_end_offset == 55


@pytest.mark.parametrize("wrong", [batch(base_offset=7), batch(attributes=0x20)])
def test_a_client_may_not_send_offsets_or_control_records(log, wrong):
    with pytest.raises(InvalidRecordException):
        log.append_as_leader(wrong, 3, NOW_MS)
    assert log.log_end_offset == 25


def test_a_damaged_batch_is_refused_by_leader_and_follower(log):
    data = bytearray(batch().buffer)
    data[-1] ^= 1
    for append in (lambda b: log.append_as_leader(b, 3, NOW_MS),
                   lambda b: log.append_as_follower([b], 3, NOW_MS)):
        with pytest.raises(CorruptRecordException):
            append(RecordBatch(bytes(data)))
    assert log.log_end_offset == 25


def test_a_follower_never_goes_back(log):
    with pytest.raises(UnexpectedAppendOffsetException, match="less than the next offset 25"):
        log.append_as_follower([batch().with_offsets(24, 3)], 3, NOW_MS)


@pytest.mark.parametrize("cut, end", [(1, 20), (70, 20), (400, 10)])
def test_recovery_cuts_a_torn_tail(log, disk, cut, end):
    size = disk.size(log_file(NAME))
    disk.truncate(log_file(NAME), size - cut)
    again = UnifiedLog(NAME, disk)
    assert again.log_end_offset == end
    assert disk.size(log_file(NAME)) == sum(one.size for one in again.batches())
    assert [one.partition(":")[0] for one in again.found] == [f"{0:020d}.log"]


def test_recovery_stops_at_the_first_batch_whose_checksum_is_wrong(log, disk):
    disk.files[log_file(NAME)].data[log.batches()[1].position + 80] ^= 1
    assert UnifiedLog(NAME, disk).log_end_offset == 10


def test_a_snapshot_of_the_batches_stays_what_it_was(log):
    before = log.batches()
    log.append_as_leader(batch(), 3, NOW_MS)
    assert len(before) == 3 and len(log.batches()) == 4 and before[-1].last_offset == 24


def test_a_cut_takes_back_what_a_roll_wanted_flushed(log):
    log.roll(NOW_MS)
    log.truncate_to(10, NOW_MS)
    log.local.do_due(NOW_MS)
    assert log.local.recovery_point == log.log_end_offset == 10
