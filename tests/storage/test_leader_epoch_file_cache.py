"""LeaderEpochFileCache: where each leader began, kept in order and on the disk."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_internals.errors import KafkaStorageException
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.leader_epoch_file_cache import LeaderEpochFileCache

NAME = "orders-0/leader-epoch-checkpoint"
THREE = ((1, 0), (2, 10), (5, 20))


@pytest.fixture
def disk() -> Disk:
    return Disk(lambda n: 0)


def cache_of(disk: Disk, *entries: tuple[int, int]) -> LeaderEpochFileCache:
    cache = LeaderEpochFileCache(disk, "orders-0")
    for epoch, start_offset in entries:
        cache.assign(epoch, start_offset)
    return cache


def test_a_missing_file_is_created_empty(disk):
    cache = cache_of(disk)
    assert disk.exists(NAME) and disk.size(NAME) == 0
    assert cache.latest_epoch is cache.latest_entry is cache.earliest_entry is None
    assert cache.end_offset_for(0, 30) == (-1, -1) and cache.epoch_for_offset(0) is None


def test_the_file_is_written_at_once_and_found_again(disk):
    cache = cache_of(disk, *THREE)
    assert disk.read(NAME) == b"0\n3\n1 0\n2 10\n5 20\n"
    assert cache_of(disk).epoch_entries == cache.epoch_entries == THREE


@pytest.mark.parametrize("epoch, found", [
    (1, (1, 10)), (3, (2, 20)), (5, (5, 30)), (6, (-1, -1)), (0, (0, 0)), (2, (2, 20)),
    (-1, (-1, -1))])
def test_g_b_13_an_epoch_ends_where_the_next_one_begins(disk, epoch, found):
    assert cache_of(disk, *THREE).end_offset_for(epoch, 30) == found


@pytest.mark.parametrize("epoch, start_offset, after", [
    (5, 25, THREE), (5, 20, THREE),                             # the latest one, known already
    (5, 15, ((1, 0), (2, 10), (5, 15))),                        # it begins earlier
    (7, 20, ((1, 0), (2, 10), (7, 20))),                        # epoch 5 wrote nothing
    (7, 5, ((1, 0), (7, 5))), (3, 30, ((1, 0), (2, 10), (3, 30))), (1, 40, ((1, 40),)),
    (0, 0, ((0, 0),))])
def test_a_new_entry_removes_those_that_contradict_it(disk, epoch, start_offset, after):
    assert cache_of(disk, *THREE, (epoch, start_offset)).epoch_entries == after
    assert cache_of(disk).epoch_entries == after


@pytest.mark.parametrize("epoch, start_offset", [(-1, 0), (0, -1)])
def test_numbers_below_zero_are_refused(disk, epoch, start_offset):
    cache = cache_of(disk, *THREE)
    with pytest.raises(ValueError, match=f"epoch {epoch} at offset {start_offset}"):
        cache.assign(epoch, start_offset)
    assert cache.epoch_entries == THREE


@pytest.mark.parametrize("end, after", [(0, ()), (10, THREE[:1]), (11, THREE[:2]),
                                        (20, THREE[:2]), (21, THREE), (-1, THREE)])
def test_the_end_of_the_log_takes_the_epochs_that_begin_there(disk, end, after):
    cache = cache_of(disk, *THREE)
    cache.truncate_from_end(end)
    assert cache.epoch_entries == cache_of(disk).epoch_entries == after


@pytest.mark.parametrize("start, after", [
    (-5, THREE), (0, THREE), (4, ((1, 4), *THREE[1:])), (10, THREE[1:]),
    (19, ((2, 19), (5, 20))), (20, ((5, 20),)), (99, ((5, 99),))])
def test_the_start_of_the_log_moves_the_epoch_that_covers_it(disk, start, after):
    cache = cache_of(disk, *THREE)
    cache.truncate_from_start(start)
    assert cache.epoch_entries == cache_of(disk).epoch_entries == after


@pytest.mark.parametrize("offset, epoch", [(0, 1), (9, 1), (10, 2), (19, 2), (20, 5), (99, 5)])
def test_each_offset_was_written_by_one_epoch(disk, offset, epoch):
    assert cache_of(disk, *THREE).epoch_for_offset(offset) == epoch


def test_an_offset_before_the_first_epoch_has_none(disk):
    cache = cache_of(disk, (3, 10))
    assert cache.epoch_for_offset(9) is None
    assert (cache.previous_epoch(3), cache.previous_epoch(9), cache.next_epoch(1),
            cache.next_epoch(3)) == (None, 3, 3, None)


def test_nothing_is_written_where_nothing_changed(disk):
    cache = cache_of(disk, *THREE)
    disk.take_cost_us()
    cache.assign(5, 28)
    cache.truncate_from_end(99)
    cache.truncate_from_start(0)
    assert disk.take_cost_us() == 0


@pytest.mark.parametrize("content", [b"0\n1\nx 2\n", b"0\n1\n1\n", b"0\n1\n1 2 3\n"])
def test_a_malformed_line_is_named(disk, content):
    disk.append(NAME, content)
    with pytest.raises(KafkaStorageException, match="Malformed line .* is not 'epoch startOffset'"):
        cache_of(disk)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["assign", "end", "start"]), st.integers(0, 12),
                          st.integers(0, 60)), max_size=25))
def test_epochs_and_start_offsets_always_grow_and_the_file_says_the_same(steps):
    disk = Disk(lambda n: 0)
    cache = cache_of(disk)
    for what, epoch, offset in steps:
        if what == "assign":
            cache.assign(epoch, offset)
            assert cache.latest_epoch == epoch
        elif what == "end":
            cache.truncate_from_end(offset)
        else:
            cache.truncate_from_start(offset)
        for one, later in zip(cache.epoch_entries, cache.epoch_entries[1:]):
            assert one.epoch < later.epoch and one.start_offset < later.start_offset
        assert cache_of(disk).epoch_entries == cache.epoch_entries
