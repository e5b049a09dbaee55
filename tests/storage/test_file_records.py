"""FileRecords: finding batches by offset, and views that stay what they were."""

import pytest

from kafka_internals.errors import CorruptRecordException
from kafka_internals.record_batch import RecordBatch, encode, valid_length
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.file_records import FileRecords, log_file, whole_batches
from tests.storage.segments import CountingDisk

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
    assert (empty.size_bytes, list(empty.snapshot())) == (0, [])
    assert empty.find(0) == empty.position_of(0) == 0


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
    assert again.snapshot() == records.snapshot() and again.recover() == 0


def test_whatever_is_torn_is_cut_off_at_every_length(records, disk):
    content = disk.read(NAME)
    ends = [0] + [one.position + one.size for one in records.snapshot()]
    for length in range(len(content) + 1):
        other = Disk(lambda n: 0)
        other.append(NAME, content[:length])
        opened, whole = FileRecords(other, NAME), max(end for end in ends if end <= length)
        assert opened.recover() == length - whole == length - valid_length(content[:length])
        assert (opened.size_bytes, other.size(NAME)) == (whole, whole)


def test_a_batch_with_a_wrong_checksum_takes_all_that_follows_with_it(records, disk):
    disk.files[NAME].data[records.snapshot()[1].position + 40] ^= 0x10
    assert [one.base_offset for one in whole_batches(disk, NAME.rpartition("/")[0])] == [0]
    opened = FileRecords(disk, NAME)
    assert [one.base_offset for one in opened.snapshot()] == [0, 5, 9]     # no checksum is read
    opened.recover()
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


def test_opening_reads_nothing_and_a_search_reads_headers_only():
    disk = CountingDisk()
    written = FileRecords(disk, NAME)
    for at in range(100):
        written.append(RecordBatch(encode([(1_000, None, bytes(20_000), ())], base_offset=at)))
    assert disk.bytes_read == 0 and written.search_for_offset(50).base_offset == 50
    assert disk.bytes_read == 0                         # what was appended is remembered
    again = FileRecords(disk, NAME)
    assert (again.size_bytes, disk.bytes_read) == (written.size_bytes, 0)
    assert again.search_for_offset(50, written.position_of(49)).base_offset == 50
    assert 0 < disk.bytes_read <= 2 * 4096


def test_a_search_gives_the_same_whether_batches_are_remembered_or_read(records, disk):
    starts = [one.position for one in records.snapshot()]
    for offset in range(15):
        for position in (*starts, records.size_bytes, records.size_bytes + 5):
            cold = FileRecords(disk, NAME)
            found = records.search_for_offset(offset, position)
            assert cold.search_for_offset(offset, position) == found
            assert list(cold.headers(position)) == list(records.headers(position))
            assert found is None or found.position >= position and found.last_offset >= offset


@pytest.mark.parametrize("position", [1, 7, 90])
def test_a_position_within_a_batch_leads_nowhere_whether_remembered_or_not(disk, position):
    def found(records):
        try:
            return records.search_for_offset(0, position)
        except CorruptRecordException as error:
            return str(error)

    for first, last in RANGES:
        FileRecords(disk, NAME).append(batch(first, last))
    warm = FileRecords(disk, NAME)
    assert len(warm.snapshot()) == 3
    assert found(warm) == found(FileRecords(disk, NAME))


def test_looking_at_a_file_with_an_impossible_length_changes_no_read(records, disk):
    second = records.snapshot()[1]
    disk.write(NAME, second.position + 8, b"\0\0\0\7")
    opened = FileRecords(disk, NAME)
    for _ in range(2):
        with pytest.raises(CorruptRecordException, match="offset 5, declares 19 bytes; 61 is"):
            opened.search_for_offset(9)
        assert [one.base_offset for one in opened.snapshot()] == [0]
    with pytest.raises(ValueError, match="begins at byte -1"):
        opened.headers(-1).__next__()


def test_a_torn_batch_at_the_end_is_not_seen(records, disk):
    disk.truncate(NAME, records.size_bytes - 1)
    assert [one.base_offset for one in FileRecords(disk, NAME).headers()] == [0, 5]
    assert FileRecords(disk, NAME).search_for_offset(9) is None


def test_cutting_leaves_earlier_views_alone(records, disk):
    before, copy = records.snapshot(), list(records.snapshot())
    assert records.truncate_to(copy[1].position) == copy[1].size + copy[2].size
    records.append(batch(5, 7))
    assert list(before) == copy and [one.last_offset for one in records.snapshot()] == [4, 7]
    assert list(FileRecords(disk, NAME).headers()) == list(records.snapshot())
    with pytest.raises(ValueError, match=f"has {records.size_bytes} bytes and cannot be cut"):
        records.truncate_to(records.size_bytes + 1)


def test_several_batches_are_one_write(disk):
    one_by_one, at_once = FileRecords(disk, "a"), FileRecords(disk, "b")
    batches = [batch(first, last) for first, last in RANGES]
    for one in batches:
        one_by_one.append(one)
    disk.take_cost_us()
    assert at_once.append(*batches) == at_once.size_bytes
    assert disk.take_cost_us() == 4
    assert disk.read("a") == disk.read("b") and at_once.snapshot() == one_by_one.snapshot()


def test_g_b_14_a_time_is_found_in_the_first_record_that_is_not_older(disk):
    records = FileRecords(disk, NAME)
    records.append(RecordBatch(encode([(100, None, b"", ()), (300, None, b"", ()),
                                       (200, None, b"", ())], partition_leader_epoch=4)),
                   RecordBatch(encode([(250, None, b"", ())], base_offset=3)))
    for time, start, found in ((150, 0, (300, 1, 4)), (301, 0, None), (100, 0, (100, 0, 4)),
                               (150, 2, (200, 2, 4)), (250, 2, (250, 3, -1)), (-5, 1, (300, 1, 4))):
        assert records.search_for_timestamp(time, 0, start) == found
        assert FileRecords(disk, NAME).search_for_timestamp(time, 0, start) == found
