"""LogSegment: appending with a sparse index, rolling, and reading by offset and by time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_internals.errors import LogSegmentOffsetOverflowException
from kafka_internals.record_batch import RecordBatch
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.fetch_data_info import LogOffsetMetadata
from tests.storage.segments import NO_LIMIT, CountingDisk, bases, batch, opened_again, segment

DAY_MS = 86_400_000


@pytest.fixture
def disk() -> Disk:
    return Disk(lambda n: 0)


@pytest.fixture
def three(disk):
    made = segment(disk)
    made.append(batch(0, 9), batch(10, 19), batch(20, 24))
    return made


# -- append and index -------------------------------------------------------------------------
def test_a_new_segment_is_one_empty_file(disk):
    made = segment(disk, 42)
    assert disk.names("orders-0") == ["00000000000000000042.log"] and made.size == 0
    assert made.read_next_offset() == 42


@pytest.mark.parametrize("first, entries", [(71, []), (5_000, [])])
def test_g_b_16_the_first_batch_makes_no_entry_however_large(disk, first, entries):
    made = segment(disk)
    made.append(batch(0, size=first))
    assert list(made.offset_index) == entries
    made.append(batch(1))
    assert list(made.offset_index) == ([(1, first)] if first > 4_096 else [])


@pytest.mark.parametrize("interval, entries", [
    (200, [(3, 300), (6, 600)]), (199, [(2, 200), (4, 400), (6, 600)]), (1_000, [])])
def test_an_entry_is_made_once_more_than_the_interval_was_written(disk, interval, entries):
    made = segment(disk, index_interval_bytes=interval)
    for offset in range(7):
        made.append(batch(offset, size=100))
    assert list(made.offset_index) == entries


def test_each_batch_of_one_append_is_indexed_as_if_it_came_alone(disk):
    several = [batch(n * 3, n * 3 + 2, times=(n, 50 - n, n * 9)) for n in range(12)]
    at_once, one_by_one = segment(disk), segment(Disk(lambda n: 0))
    for one in (at_once, one_by_one):
        one.index_interval_bytes = 300
    at_once.append(*several)
    for one in several:
        one_by_one.append(one)
    assert list(at_once.offset_index) == list(one_by_one.offset_index) != []
    assert list(at_once.time_index) == list(one_by_one.time_index) != []


def test_a_time_entry_has_the_last_offset_of_the_batch_with_the_largest_time(disk):
    made = segment(disk, index_interval_bytes=0)
    made.append(batch(0), batch(1, 3, times=(2_000, 9_000, 3_000)), batch(4, times=9_000),
                batch(5, times=100))
    assert list(made.time_index) == [(9_000, 3)]
    assert made.max_timestamp_and_offset_so_far == (9_000, 3)
    assert made.largest_timestamp == 9_000


def test_the_counter_begins_anew_when_a_segment_is_opened_again(disk):
    first = segment(disk)
    first.append(batch(0, size=4_000))
    again = opened_again(first, disk)
    again.append(batch(1, size=4_096), batch(2, size=100))
    assert list(again.offset_index) == []
    again.append(batch(3))
    assert list(again.offset_index) == [(3, 8_196)]


def test_an_offset_that_fits_no_31_bits_is_refused_before_anything_is_written(disk):
    made = segment(disk, 10)
    for offset in (9, 10 + 2**31):
        with pytest.raises(LogSegmentOffsetOverflowException, match=f"offset {offset} does not"):
            made.append(batch(offset))
    assert made.size == 0
    made.append(batch(10 + 2**31 - 1))
    assert made.read_next_offset() == 10 + 2**31


# -- roll -------------------------------------------------------------------------------------
@pytest.mark.parametrize("size, why", [(100, None), (101, "segment.bytes")])
def test_g_b_1_a_segment_may_become_as_large_as_its_limit(disk, size, why):
    made = segment(disk)
    made.append(batch(0, size=200))
    params = NO_LIMIT | dict(max_segment_bytes=300, messages_size=size)
    assert made.why_roll(**params) == why


@pytest.mark.parametrize("first, later, why", [
    (0, 1_000, None), (0, 1_001, "segment.ms"), (2_000, 1_995, None), (0, -1, None)])
def test_g_b_2_time_is_that_of_the_records_whatever_the_clock_says(disk, first, later, why):
    made = segment(disk)
    made.append(batch(0, 1, times=(first, first - 7 if first else 0)))
    params = NO_LIMIT | dict(max_segment_ms=1_000, now_ms=99 * DAY_MS,
                             max_timestamp_in_messages=later)
    assert made.why_roll(**params) == why
    assert opened_again(made, disk).why_roll(**params) == why


def test_a_first_batch_without_a_time_counts_from_the_creation_by_the_clock(disk):
    made = segment(disk, now_ms=5_000)
    made.append(batch(0, times=-1))
    params = NO_LIMIT | dict(max_segment_ms=1_000, max_timestamp_in_messages=99 * DAY_MS)
    assert made.why_roll(**params | dict(now_ms=6_000)) is None
    assert made.why_roll(**params | dict(now_ms=6_001)) == "segment.ms"


def test_an_empty_segment_never_rolls_by_time_and_jitter_makes_others_roll_sooner(disk):
    params = NO_LIMIT | dict(max_segment_ms=1_000, now_ms=DAY_MS, max_timestamp_in_messages=1_900)
    made = segment(disk, roll_jitter_ms=100)
    assert made.why_roll(**params) is None
    made.append(batch(0))
    assert made.why_roll(**params) is None
    assert made.why_roll(**params | dict(max_timestamp_in_messages=1_901)) == "segment.ms"


def test_a_full_index_rolls_and_the_size_is_asked_first(disk):
    made = segment(disk, index_interval_bytes=0, max_index_bytes=16)
    made.append(batch(0))
    assert made.why_roll(**NO_LIMIT) == "segment.index.bytes"     # one slot: for the final entry
    assert made.why_roll(**NO_LIMIT | dict(max_segment_bytes=1)) == "segment.bytes"
    assert segment(disk, 9, max_index_bytes=24).why_roll(
        **NO_LIMIT | dict(max_offset_in_messages=9)) is None


@pytest.mark.parametrize("offset, why", [(9, "relative offset"), (10, None), (10 + 2**31 - 1, None),
                                         (10 + 2**31, "relative offset")])
def test_an_offset_too_far_from_the_base_rolls(disk, offset, why):
    params = NO_LIMIT | dict(max_offset_in_messages=offset)
    assert segment(disk, 10).why_roll(**params) == why


def test_an_inactive_segment_has_a_final_time_entry_and_no_spare_room(disk, three):
    three.on_become_inactive_segment()
    assert list(three.time_index) == [(1_000, 9)]
    assert (disk.size(three.file(".index")), disk.size(three.file(".timeindex"))) == (0, 12)
    three.resize_indexes(100)
    assert (disk.size(three.file(".index")), disk.size(three.file(".timeindex"))) == (96, 96)


# -- read -------------------------------------------------------------------------------------
def test_g_b_3_a_read_begins_with_the_batch_that_holds_the_offset(disk, three):
    for opened in (three, segment(disk)):
        found = opened.read(15, 1 << 20)
        assert bases(found.records) == [10, 20]
        assert found.fetch_offset_metadata == LogOffsetMetadata(10, 0, batch(0, 9).size)
        assert opened.read(25, 1 << 20) is None


def test_g_b_5_the_first_batch_comes_whole_only_where_one_message_is_promised(three):
    size = batch(0, 9).size
    whole, torn = three.read(3, 1, min_one_message=True), three.read(3, size - 1)
    assert (len(whole.records), whole.first_entry_incomplete) == (size, False)
    assert (len(torn.records), torn.first_entry_incomplete) == (size - 1, True)
    assert three.read(3, 0).records == b"" and not three.read(3, size).first_entry_incomplete
    with pytest.raises(ValueError, match="max_size is -1"):
        three.read(3, -1)


def test_a_read_goes_no_further_than_its_reader_may_see(three):
    second = batch(0, 9).size
    assert bases(three.read(0, 1 << 20, max_position=second).records) == [0]
    assert three.read(10, 1 << 20, second, min_one_message=True).records == b""
    assert three.read(20, 1 << 20, second).records == b""       # behind what it may see


def test_g_b_14_a_time_is_found_by_its_index_in_the_first_record_that_is_not_older(disk):
    made = segment(disk, index_interval_bytes=0)
    for offset, time in enumerate((100, 300, 200, 300, 400)):
        made.append(batch(offset, times=time, epoch=offset))
    made.on_become_inactive_segment()
    for opened in (made, segment(disk)):
        for time, start, found in ((150, 0, (300, 1, 1)), (301, 0, (400, 4, 4)), (401, 0, None),
                                   (300, 2, (300, 3, 3)), (0, 0, (100, 0, 0)), (0, 2, (200, 2, 2))):
            assert opened.find_offset_by_timestamp(time, start) == found


def test_searches_by_offset_and_time_read_little_of_a_large_file():
    disk = CountingDisk()
    made = segment(disk)
    for offset in range(190):
        made.append(batch(offset, times=offset, value=bytes(5_000)))
    again, disk.bytes_read = opened_again(made, disk), 0
    assert again.translate_offset(150).base_offset == 150
    assert again.find_offset_by_timestamp(-5, 150)[:2] == (150, 150)
    assert again.find_offset_by_timestamp(150, 0)[:2] == (150, 150)
    assert again.read_next_offset() == 190
    assert disk.bytes_read < 12 * 4_096 < made.size // 15


def test_without_record_times_the_largest_time_is_that_of_the_last_write(disk):
    disk.now_ms = 7_000
    made = segment(disk)
    made.append(batch(0, times=-1))
    disk.now_ms = 9_000
    assert made.largest_timestamp == 7_000
    made.append(batch(1, times=50))
    assert made.largest_timestamp == 50


def test_the_index_knows_an_upper_bound_of_a_fetch(disk):
    made = segment(disk, index_interval_bytes=0)
    for offset in range(5):
        made.append(batch(offset, size=100))
    start = made.offset_index.lookup(1)
    assert made.fetch_upper_bound_offset(start, 150) == 3
    assert made.fetch_upper_bound_offset(start, 900) is None


SHAPES = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(0, 300),
                            st.integers(-1, 60)), min_size=1, max_size=25)


def _batches(shapes) -> list[RecordBatch]:
    made, offset = [], 100
    for gap, count, size, time in shapes:
        offset += gap
        made.append(batch(offset, offset + count - 1, times=time, value=bytes(size)))
        offset += count
    return made


@settings(deadline=None)
@given(SHAPES, st.integers(0, 700), st.lists(st.integers(95, 230), max_size=12),
       st.integers(0, 900), st.booleans())
def test_reads_are_those_of_a_list_however_sparse_the_index(shapes, interval, offsets, limit, one):
    model, disk = _batches(shapes), Disk(lambda n: 0)
    made = segment(disk, 100, index_interval_bytes=interval)
    made.append(*model)
    made.close()
    for opened in (made, segment(disk, 100)):
        assert opened.read_next_offset() == model[-1].last_offset + 1
        for offset in offsets:
            rest = [other for other in model if other.last_offset >= offset]
            found = opened.read(offset, limit, min_one_message=one)
            if not rest:
                assert found is None
                continue
            room = max(limit, rest[0].size) if one else limit
            assert found.records == b"".join(other.buffer for other in rest)[:room]


@settings(deadline=None)
@given(SHAPES, st.integers(0, 700))
def test_every_index_entry_points_to_the_start_of_the_batch_that_ends_with_its_offset(
        shapes, interval):
    made = segment(Disk(lambda n: 0), 100, index_interval_bytes=interval)
    made.append(*_batches(shapes))
    starts = {stored.position: stored for stored in made.log.snapshot()}
    for entry in made.offset_index:
        assert starts[entry.position].last_offset == entry.offset
    for time, offset in made.time_index:
        assert time == max(stored.max_timestamp for stored in starts.values()
                           if stored.last_offset <= offset)


@settings(deadline=None)
@given(SHAPES, st.integers(0, 700), st.lists(st.tuples(st.integers(-1, 61), st.integers(95, 200)),
                                             max_size=10))
def test_a_time_is_found_as_in_a_list(shapes, interval, targets):
    model, disk = _batches(shapes), Disk(lambda n: 0)
    made = segment(disk, 100, index_interval_bytes=interval)
    made.append(*model)
    made.close()
    records = [record for one in model for record in one.records()]
    for opened in (made, segment(disk, 100)):
        for time, start in targets:
            expected = next(((r.timestamp, r.offset, 0) for r in records
                             if r.timestamp >= time and r.offset >= start), None)
            assert opened.find_offset_by_timestamp(time, start) == expected
