"""FileRecords: finding batches by offset, and views that stay what they were."""

import pytest

from kafka_internals.record_batch import RecordBatch, encode, valid_length
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.file_records import FileRecords, log_file, whole_batches

NAME = log_file("orders-0")
RANGES = ((0, 4), (5, 5), (9, 12))                  # offsets 6 to 8 were never given


def batch(first: int, last: int) -> RecordBatch:
    return RecordBatch(encode([(1_000, None, b"v", ())] * (last - first + 1), base_offset=first))


@pytest.fixture
def disk() -> Disk:
    return Disk(lambda n: 0)


@pytest.fixture
def records(disk) -> FileRecords:
    made = FileRecords(disk, NAME)
    for first, last in RANGES:
        made.append(batch(first, last))
    return made


def test_a_log_file_is_named_by_its_first_offset():
    assert NAME == "orders-0/00000000000000000000.log"


def test_an_empty_file_has_nothing(disk):
    empty = FileRecords(disk, NAME)
    assert (empty.size_bytes, empty.last(), list(empty.snapshot())) == (0, None, [])
    assert empty.find(0) == empty.position_of(0) == 0
    assert empty.read(0, 1_000, 0, True) == b""


@pytest.mark.parametrize("offset", range(16))
def test_every_offset_leads_to_the_batch_that_holds_it_or_to_the_next(records, offset):
    at = next((n for n, (_, last) in enumerate(RANGES) if last >= offset), len(RANGES))
    assert records.find(offset) == at
    positions = [one.position for one in records.snapshot()] + [records.size_bytes]
    assert records.position_of(offset) == positions[at]


def test_positions_and_sizes_are_those_of_the_file(records, disk):
    content = disk.read(NAME)
    assert records.size_bytes == len(content) == disk.size(NAME)
    for one, (first, last) in zip(records.snapshot(), RANGES):
        assert (one.base_offset, one.last_offset) == (first, last)
        assert content[one.position:one.position + one.size] == batch(first, last).buffer


def test_opening_a_file_finds_what_was_appended(records, disk):
    again = FileRecords(disk, NAME)
    assert again.snapshot() == records.snapshot() and again.truncated_bytes == 0


def test_whatever_is_torn_is_cut_off_at_every_length(records, disk):
    content = disk.read(NAME)
    ends = [0] + [one.position + one.size for one in records.snapshot()]
    for length in range(len(content) + 1):
        other = Disk(lambda n: 0)
        other.append(NAME, content[:length])
        opened, whole = FileRecords(other, NAME), max(end for end in ends if end <= length)
        assert (opened.size_bytes, other.size(NAME)) == (whole, whole)
        assert opened.truncated_bytes == length - whole == length - valid_length(content[:length])


def test_a_batch_with_a_wrong_checksum_takes_all_that_follows_with_it(records, disk):
    disk.files[NAME].data[records.snapshot()[1].position + 40] ^= 0x10
    assert [one.base_offset for one in whole_batches(disk.read(NAME))] == [0]
    opened = FileRecords(disk, NAME)
    assert [one.base_offset for one in opened.snapshot()] == [0]
    assert disk.size(NAME) == opened.size_bytes == records.snapshot()[0].size


def test_a_view_stays_what_it_was_while_the_file_grows(records):
    before, copy = records.snapshot(), list(records.snapshot())
    records.append(batch(13, 13))
    assert list(before) == copy and len(before) == 3 and before[-1].last_offset == 12
    assert before != records.snapshot() and records.snapshot()[-1].base_offset == 13
    assert repr(before) == "Batches(0-4, 5-5, 9-12)"


def test_only_what_was_flushed_survives(records, disk):
    records.flush()
    records.append(batch(13, 13))
    disk.power_loss()
    assert [one.base_offset for one in FileRecords(disk, NAME).snapshot()] == [0, 5, 9]
