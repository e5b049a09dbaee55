"""OffsetIndex and TimeIndex: preallocation, order, search, cutting; against a plain list."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_internals.errors import (
    CorruptIndexException,
    IllegalStateException,
    IndexOffsetOverflowException,
    InvalidOffsetException,
)
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.offset_index import OffsetIndex, OffsetPosition
from kafka_internals.storage.time_index import TimeIndex, TimestampOffset

BASE = 1_000
INDEX, TIME = "orders-0/x.index", "orders-0/x.timeindex"


@pytest.fixture
def disk() -> Disk:
    return Disk(lambda n: 0)


@pytest.fixture
def index(disk) -> OffsetIndex:
    made = OffsetIndex(disk, INDEX, BASE, 100)
    for offset, position in ((1_005, 0), (1_010, 400), (1_030, 900)):
        made.append(offset, position)
    return made


@pytest.fixture
def times(disk) -> TimeIndex:
    made = TimeIndex(disk, TIME, BASE, 100)
    for timestamp, offset in ((50, 1_005), (70, 1_010), (90, 1_030)):
        made.maybe_append(timestamp, offset)
    return made


@pytest.mark.parametrize("kind, size, entries", [
    (OffsetIndex, 10_485_760, 1_310_720), (TimeIndex, 10_485_756, 873_813)])
def test_a_new_file_is_preallocated_to_whole_entries(disk, kind, size, entries):
    made = kind(disk, INDEX, BASE, 10 * 1024 * 1024)
    assert (disk.size(INDEX), made.max_entries, made.entries) == (size, entries, 0)
    made.trim_to_valid_size()
    assert disk.size(INDEX) == 0


def test_g_a_7_an_entry_of_each_index(disk):
    OffsetIndex(disk, INDEX, 0, 8).append(41, 4096)
    TimeIndex(disk, TIME, 0, 24).maybe_append(1_700_000_000_007, 41)
    assert disk.read(INDEX).hex() == "0000002900001000"
    assert disk.read(TIME, 0, 12).hex() == "0000018bcfe5680700000029"


def test_entries_lie_in_the_file_as_kafka_writes_them(disk, index, times):
    assert disk.read(INDEX, 0, 24).hex() == "0000000500000000" "0000000a00000190" "0000001e00000384"
    assert disk.read(TIME, 0, 24).hex() == "000000000000003200000005" "00000000000000460000000a"
    assert (disk.size(INDEX), disk.size(TIME)) == (96, 96)
    index.close()
    times.close()
    assert (disk.size(INDEX), disk.size(TIME)) == (24, 36)
    again = OffsetIndex(disk, INDEX, BASE, 100)
    assert list(again) == list(index) and again.last_entry == (1_030, 900) and again.is_full
    assert again.resize(100) and not again.resize(103) and not again.is_full
    assert TimeIndex(disk, TIME, BASE, 100).last_entry == (90, 1_030)


@pytest.mark.parametrize("offset, found", [
    (0, (BASE, 0)), (1_004, (BASE, 0)), (1_005, (1_005, 0)), (1_009, (1_005, 0)),
    (1_010, (1_010, 400)), (5_000, (1_030, 900))])
def test_a_lookup_gives_the_entry_at_or_before_an_offset_or_the_base(index, offset, found):
    assert index.lookup(offset) == OffsetPosition(*found)


@pytest.mark.parametrize("timestamp, found", [
    (-1, (-1, BASE)), (49, (-1, BASE)), (50, (50, 1_005)), (89, (70, 1_010)), (91, (90, 1_030))])
def test_a_lookup_of_a_time_gives_the_entry_at_or_before_it(times, timestamp, found):
    assert times.lookup(timestamp) == TimestampOffset(*found)


def test_an_empty_index_gives_the_base(disk):
    assert OffsetIndex(disk, INDEX, BASE, 100).lookup(2_000) == (BASE, 0)
    assert OffsetIndex(disk, INDEX, BASE, 100).last_offset == BASE
    assert TimeIndex(disk, TIME, BASE, 100).lookup(2_000) == (-1, BASE)


def test_the_offset_index_refuses_what_does_not_grow_and_what_does_not_fit(disk, index):
    for offset in (1_030, 1_029):
        with pytest.raises(InvalidOffsetException, match=f"{offset} .* 1030"):
            index.append(offset, 950)
    with pytest.raises(IndexOffsetOverflowException, match="2147483648 behind"):
        index.append(BASE + 2**31, 950)
    with pytest.raises(IndexOffsetOverflowException, match="-1 behind"):
        OffsetIndex(disk, "y.index", BASE, 100).append(BASE - 1, 0)
    index.append(BASE + 2**31 - 1, 950)
    assert index.entries == 4 and index.last_offset == BASE + 2**31 - 1


def test_the_offset_index_is_full_with_its_last_entry(disk):
    index = OffsetIndex(disk, INDEX, BASE, 20)
    index.append(BASE, 0)
    assert not index.is_full
    index.append(BASE + 1, 70)
    assert index.is_full
    with pytest.raises(ValueError, match="full: it has 2 entries and room for 2"):
        index.append(BASE + 2, 140)
    assert index.entries == 2 and disk.size(INDEX) == 16


def test_the_time_index_keeps_one_slot_for_the_final_entry(disk):
    times = TimeIndex(disk, TIME, BASE, 30)
    times.maybe_append(10, BASE)
    assert times.is_full and times.max_entries == 2
    with pytest.raises(ValueError, match="full: it has 1 entries and room for 2"):
        times.maybe_append(20, BASE + 5)
    times.maybe_append(20, BASE + 5, skip_full_check=True)
    assert list(times) == [(10, BASE), (20, BASE + 5)]


def test_the_time_index_skips_an_equal_timestamp_and_refuses_a_smaller_one(times):
    times.maybe_append(90, 1_040)
    times.maybe_append(90, 1_030)
    assert times.entries == 3 and times.last_entry == (90, 1_030)
    with pytest.raises(InvalidOffsetException, match="1029 lies before 1030"):
        times.maybe_append(95, 1_029)
    with pytest.raises(IllegalStateException, match="89 lies before 90"):
        times.maybe_append(89, 1_040)
    assert times.entries == 3


def test_records_without_a_timestamp_make_no_time_entry(disk):
    times = TimeIndex(disk, TIME, BASE, 100)
    times.maybe_append(-1, BASE + 3)
    assert times.entries == 0
    times.maybe_append(0, BASE + 4)
    assert list(times) == [(0, BASE + 4)]


@pytest.mark.parametrize("offset, kept", [(0, 0), (1_005, 0), (1_006, 1), (1_010, 1), (1_011, 2),
                                          (1_030, 2), (1_031, 3), (9_999, 3)])
def test_cutting_at_an_offset_takes_its_own_entry_too(index, times, offset, kept):
    for one in (index, times):
        before = list(one)
        one.truncate_to(offset)
        assert list(one) == before[:kept]
        assert one.last_entry == (before[kept - 1] if kept else one._before_first())


def test_a_fetch_that_ends_inside_the_index_knows_an_upper_bound(index):
    start = index.lookup(1_005)
    assert index.fetch_upper_bound_offset(start, 400) == (1_010, 400)
    assert index.fetch_upper_bound_offset(start, 401) == (1_030, 900)
    assert index.fetch_upper_bound_offset(start, 901) is None


def test_a_reset_forgets_everything_and_preallocates_again(disk, index):
    index.trim_to_valid_size()
    index.reset()
    assert (index.entries, index.last_offset, disk.size(INDEX)) == (0, BASE, 96)


def test_an_index_that_is_made_too_small_loses_its_last_entries(disk, index):
    assert index.resize(17) and (disk.size(INDEX), index.entries) == (16, 2)
    assert index.last_entry == (1_010, 400) and index.is_full


def test_entries_outside_are_refused(index):
    for at in (-1, 3):
        with pytest.raises(ValueError, match=f"has 3 entries; there is no entry {at}"):
            index.entry(at)


@pytest.mark.parametrize("kind, content, why", [
    (OffsetIndex, "00" * 9, "has 9 bytes, which is no multiple of 8"),
    (OffsetIndex, "ffffffff00000000", "is 999, which lies before"),
    (TimeIndex, "00" * 13, "has 13 bytes, which is no multiple of 12"),
    (TimeIndex, "0000000000000009ffffffff", "is 999, which lies before"),
    (TimeIndex, "000000000000000900000000" "000000000000000800000001", "before the first, 9")])
def test_a_file_that_cannot_be_an_index_is_noticed_when_it_is_checked(disk, kind, content, why):
    disk.append(INDEX, bytes.fromhex(content))
    opened = kind(disk, INDEX, BASE, 100)
    with pytest.raises(CorruptIndexException, match=why):
        opened.sanity_check()


def test_a_sound_index_passes_its_check(index, times):
    index.sanity_check()
    times.sanity_check()


def test_the_steps_of_a_search_are_few_and_begin_in_the_warm_end(disk):
    index = OffsetIndex(disk, INDEX, 0, 40_000)
    for at in range(5_000):
        index.append(at * 10, at * 100)
    assert index.lookup_steps(49_985)[0] == 5_000 - 1 - 1_024
    assert index.lookup_steps(5)[:2] == (3_975, 0)
    for target in (0, 7, 25_000, 39_750, 49_985, 60_000):
        steps = index.lookup_steps(target)
        assert len(steps) <= 14 and all(0 <= at < 5_000 for at in steps)
        assert index.lookup(target).offset == min(target // 10 * 10, 49_990)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 99)), max_size=60),
       st.lists(st.integers(-5, 600), max_size=20))
def test_an_offset_index_is_a_sorted_list(gaps, targets):
    disk, model = Disk(lambda n: 0), []
    index, offset, position = OffsetIndex(disk, INDEX, BASE, 8 * 60), BASE, 0
    for step, size in gaps:
        offset, position = offset + step, position + size
        index.append(offset, position)
        model.append((offset, position))
    for target in targets:
        floor = [one for one in model if one[0] <= BASE + target]
        assert index.lookup(BASE + target) == (floor[-1] if floor else (BASE, 0))
        upper = [one for one in model if one[1] >= target]
        found = index.fetch_upper_bound_offset(OffsetPosition(0, 0), target)
        assert found == (upper[0] if upper else None)
    for target in sorted(targets, reverse=True):
        index.truncate_to(BASE + target)
        model = [one for one in model if one[0] < BASE + target]
        assert list(index) == model
    index.close()
    assert list(OffsetIndex(disk, INDEX, BASE, 8)) == model


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=40),
       st.lists(st.integers(-2, 200), max_size=20))
def test_a_time_index_is_a_sorted_list_without_equal_times(gaps, targets):
    times, model = TimeIndex(Disk(lambda n: 0), TIME, BASE, 12 * 41), []
    timestamp, offset = 0, BASE
    for later, step in gaps:
        timestamp, offset = timestamp + later, offset + step
        times.maybe_append(timestamp, offset)
        if not model or timestamp > model[-1][0]:
            model.append((timestamp, offset))
    assert list(times) == model
    for target in targets:
        floor = [one for one in model if one[0] <= target]
        assert times.lookup(target) == (floor[-1] if floor else (-1, BASE))
    for target in sorted(targets, reverse=True):
        times.truncate_to(BASE + target)
        model = [one for one in model if one[1] < BASE + target]
        assert list(times) == model
