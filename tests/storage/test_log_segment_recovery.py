"""LogSegment: cutting, recovering what a crash left, and what becomes of its files."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_internals.errors import (
    CorruptIndexException,
    InvalidOffsetException,
    InvalidRecordException,
    LogSegmentOffsetOverflowException,
)
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.leader_epoch_file_cache import LeaderEpochFileCache
from kafka_internals.storage.transaction_index import AbortedTxn
from tests.storage.segments import NO_LIMIT, Ended, Producers, bases, batch, opened_again, segment

TXN, MARKER = {"attributes": 0x10}, {"attributes": 0x30}
KINDS = (".log", ".index", ".timeindex", ".txnindex")


@pytest.fixture
def disk() -> Disk:
    return Disk(lambda n: 0)


@pytest.fixture
def filled(disk):
    """Twenty batches of two offsets, one index entry each but for the first."""
    made = segment(disk, index_interval_bytes=0)
    for n in range(20):
        made.append(batch(n * 2, n * 2 + 1, times=1_000 + n, epoch=n // 8))
    return made


# -- truncate ---------------------------------------------------------------------------------
def test_g_b_11_cutting_within_a_batch_takes_the_whole_batch(disk):
    made = segment(disk)
    made.append(batch(0, 9), batch(10, 19), batch(20, 24))
    assert made.truncate_to(15, now_ms=0) == batch(10, 19).size + batch(20, 24).size
    assert disk.read(made.file(".log")) == batch(0, 9).buffer
    assert made.read_next_offset() == 10


@pytest.mark.parametrize("offset", range(0, 42))
def test_cutting_keeps_what_ends_before_the_offset_in_the_file_and_its_indexes(disk, filled,
                                                                               offset):
    kept = offset // 2 * 2
    filled.truncate_to(offset, now_ms=0)
    assert filled.read_next_offset() == kept
    assert [one.offset for one in filled.offset_index] == [n for n in range(3, offset, 2)]
    assert [one.offset for one in filled.time_index] == [n for n in range(3, offset, 2)]
    assert disk.size(filled.file(".index")) == disk.size(filled.file(".timeindex")) == 2_400
    filled.append(batch(kept, times=5_000))
    assert bases(filled.read(kept, 1_000).records) == [kept]
    assert filled.largest_timestamp == 5_000


def test_after_a_cut_the_largest_time_is_what_the_index_says(disk):
    made = segment(disk)
    made.append(batch(0, times=9_000), batch(1, times=100), batch(2, times=100))
    made.truncate_to(2, now_ms=0)
    assert made.max_timestamp_and_offset_so_far == (-1, 0)      # no entry had been written yet


@pytest.mark.parametrize("leave", [lambda one: one.truncate_to(99, now_ms=0),
                                   lambda one: one.recover(Producers())])
def test_after_a_cut_or_a_recovery_the_interval_is_counted_anew(disk, leave):
    made = segment(disk, index_interval_bytes=100)
    made.append(batch(0, size=101))
    leave(made)
    made.resize_indexes(2_400)
    made.append(batch(1, size=100))
    assert list(made.offset_index) == []
    made.append(batch(2, size=100), batch(3, size=100))
    assert list(made.offset_index) == [(3, 301)]


def test_a_closed_segment_that_is_cut_has_room_in_its_indexes_again(disk, filled):
    filled.on_become_inactive_segment()
    filled.truncate_to(10, now_ms=0)
    assert disk.size(filled.file(".index")) == disk.size(filled.file(".timeindex")) == 2_400
    assert not filled.why_roll(**NO_LIMIT | dict(max_offset_in_messages=10))


def test_a_segment_that_is_cut_to_nothing_begins_anew(disk, filled):
    assert filled.time_waited_for_roll(now_ms=0, message_timestamp=1_005) == 5
    filled.truncate_to(0, now_ms=700)
    assert (filled.size, filled.created_ms, filled.offset_index.entries) == (0, 700, 0)
    assert filled.time_waited_for_roll(now_ms=1_000, message_timestamp=5) == 300
    filled.append(batch(0, times=4_000))
    assert filled.time_waited_for_roll(now_ms=9_999, message_timestamp=4_005) == 5


def test_cutting_forgets_the_aborted_transactions_that_ended_there(filled):
    filled.update_txn_index(Ended(7, 0, 5, True), 6)
    filled.update_txn_index(Ended(8, 6, 9, False), 10)
    filled.update_txn_index(Ended(7, 10, 21, True), 22)
    assert filled.collect_aborted_txns(0, 99) == (
        (AbortedTxn(7, 0, 5, 6), AbortedTxn(7, 10, 21, 22)), False)
    filled.truncate_to(21, now_ms=0)
    assert tuple(filled.txn_index) == (AbortedTxn(7, 0, 5, 6),)


# -- recover ----------------------------------------------------------------------------------
@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 200), st.integers(-1, 50)),
                max_size=25), st.integers(0, 500))
def test_recovery_makes_the_files_again_that_an_orderly_stop_leaves(shapes, interval):
    live, offset = Disk(lambda n: 0), 7
    made = segment(live, 7, index_interval_bytes=interval)
    for count, size, time in shapes:
        made.append(batch(offset, offset + count - 1, times=time, value=bytes(size)))
        offset += count
    made.on_become_inactive_segment()
    bare = Disk(lambda n: 0)
    bare.append(made.file(".log"), live.read(made.file(".log")))
    for kind in KINDS[1:3]:
        bare.append(made.file(kind), b"garbage")
    again = segment(bare, 7, index_interval_bytes=interval)
    assert again.recover(Producers()) == 0
    assert {name: bare.read(f"orders-0/{name}") for name in bare.names("orders-0")} == \
        {name: live.read(f"orders-0/{name}") for name in live.names("orders-0")}
    assert again.max_timestamp_and_offset_so_far == made.max_timestamp_and_offset_so_far


def _damage(disk: Disk, name: str, position: int, how: str) -> None:
    if how == "torn":
        disk.truncate(name, position + 40)
    elif how == "flipped":
        disk.write(name, position + 65, bytes([disk.read(name, position + 65, 1)[0] ^ 0xFF]))
    elif how == "length":
        disk.write(name, position + 8, b"\0\0\0\1")
    elif how == "zeros":
        disk.write(name, position, bytes(disk.size(name) - position))


@pytest.mark.parametrize("how", ["torn", "flipped", "length", "zeros"])
@pytest.mark.parametrize("bad", [0, 1, 7, 19])
def test_recovery_cuts_at_the_first_batch_that_is_not_sound_and_tells_of_those_before(
        disk, filled, how, bad):
    position = filled.log.snapshot()[bad].position
    _damage(disk, filled.file(".log"), position, how)
    size = disk.size(filled.file(".log"))
    again, producers = segment(disk, index_interval_bytes=0), Producers()
    epochs = LeaderEpochFileCache(disk, "orders-0")
    assert again.recover(producers, epochs) == size - position
    assert disk.size(again.file(".log")) == again.size == position
    assert again.read_next_offset() == max(0, producers.map_end_offset) == bad * 2
    assert [one.offset for one in again.offset_index] == list(range(3, bad * 2, 2))
    assert epochs.epoch_entries == tuple((n, n * 16) for n in range((bad + 7) // 8))
    again.resize_indexes(2_400)
    again.append(batch(bad * 2))
    assert again.read_next_offset() == bad * 2 + 1


def test_an_epoch_that_is_known_is_left_as_it_is(disk, filled):
    epochs = LeaderEpochFileCache(disk, "orders-0")
    epochs.assign(0, 0)
    epochs.assign(1, 10)
    filled.recover(Producers(), epochs)
    assert epochs.epoch_entries == ((0, 0), (1, 10), (2, 32))


def test_a_batch_without_a_leader_epoch_begins_none(disk):
    made, epochs = segment(disk), LeaderEpochFileCache(disk, "orders-0")
    made.append(batch(0, epoch=-1), batch(1, epoch=3))
    made.recover(Producers(), epochs)
    assert epochs.epoch_entries == ((3, 1),)


def test_recovery_replays_producers_and_notes_the_transactions_that_were_aborted(disk):
    made, producers = segment(disk), Producers()
    made.append(batch(0), batch(1, producer_id=7, producer_epoch=0, base_sequence=0, **TXN),
                batch(2, producer_id=8, producer_epoch=0, base_sequence=0, **TXN),
                batch(3, producer_id=7, producer_epoch=0, **MARKER),
                batch(4, producer_id=8, producer_epoch=0, **MARKER))
    disk.append(made.file(".txnindex"), AbortedTxn(1, 1, 1, 1).encode())
    assert made.recover(producers) == 0
    assert tuple(made.txn_index) == (AbortedTxn(7, 1, 3, 2),)     # 8 was open, and committed later
    assert producers.calls == [("replay", 1), ("replay", 2), ("replay", 3), ("complete", 3),
                               ("replay", 4), ("complete", 4)]
    assert producers.map_end_offset == 5


def test_recovery_ends_behind_a_marker_that_cannot_be_read(disk):
    class Refusing(Producers):
        def replay(self, batch):
            raise InvalidRecordException("this marker has no value")

    made = segment(disk)
    made.append(batch(0), batch(1, producer_id=7, producer_epoch=0, **MARKER), batch(2))
    assert made.recover(Refusing()) == batch(2).size
    assert made.read_next_offset() == 2


def test_recovery_reads_the_file_even_where_batches_are_remembered(disk, filled):
    position = filled.log.snapshot()[5].position
    _damage(disk, filled.file(".log"), position, "flipped")
    assert filled.recover(Producers()) > 0 and filled.size == position
    assert len(filled.log.snapshot()) == 5


def test_offsets_that_cannot_be_in_this_segment_are_no_damage_to_cut(disk):
    made = segment(disk, 0)
    made.append(batch(5), batch(6))
    disk.rename(made.file(".log"), "orders-0/00000000000000000006.log")
    with pytest.raises(LogSegmentOffsetOverflowException, match="offset 5 does not fit"):
        segment(disk, 6).recover(Producers())
    disk.append("orders-0/00000000000000000000.log", batch(5).buffer * 3)
    with pytest.raises(InvalidOffsetException, match="offset 5 does not lie behind 5"):
        segment(disk, 0, index_interval_bytes=0).recover(Producers())


# -- files ------------------------------------------------------------------------------------
def test_an_orderly_stop_leaves_a_final_time_entry_and_only_what_is_used(disk):
    made = segment(disk)
    made.append(batch(0, times=50))
    made.close()
    assert [disk.size(made.file(kind)) for kind in KINDS[:3]] == [made.size, 0, 12]
    assert opened_again(made, disk).max_timestamp_and_offset_so_far == (50, 0)
    disk.power_loss()
    assert disk.size(made.file(".log")) == made.size            # the log is flushed


def test_a_segment_that_nobody_used_leaves_its_log_alone(disk):
    made = segment(disk, 9)
    made.close()
    assert disk.names("orders-0") == ["00000000000000000009.log"]


def test_opening_a_closed_segment_reads_nothing_and_a_flush_keeps_everything(disk, filled):
    filled.update_txn_index(Ended(7, 0, 39, True), 40)
    filled.flush()
    disk.power_loss()
    content = {kind: disk.read(filled.file(kind)) for kind in KINDS}
    assert len(content[".index"]) == 2_400 and len(content[".txnindex"]) == 34
    disk.read = None                                    # whoever reads now fails
    assert segment(disk).size == len(content[".log"])


def test_hardly_anything_is_checked_of_a_segment_that_is_not_recovered(disk, filled):
    filled.close()
    disk.write(filled.file(".index"), 0, b"garbage")
    disk.delete(filled.file(".timeindex"))
    opened = segment(disk)
    opened.sanity_check()
    assert disk.exists(filled.file(".timeindex")) and disk.size(filled.file(".timeindex")) == 0
    disk.append("orders-0/00000000000000000005.index", b"")
    disk.append("orders-0/00000000000000000005.txnindex", AbortedTxn(7, 1, 4, 5).encode())
    with pytest.raises(CorruptIndexException, match="last offset 4 .* base offset 5"):
        segment(disk, 5).sanity_check()
    disk.delete(filled.file(".index"))
    with pytest.raises(FileNotFoundError, match="00.index does not exist"):
        segment(disk).sanity_check()


def test_suffixes_change_on_all_files_that_are_there(disk, filled):
    filled.change_file_suffixes("", ".deleted")
    assert disk.names("orders-0") == [f"{0:020d}{kind}.deleted" for kind in
                                      (".index", ".log", ".timeindex")]
    assert filled.read_next_offset() == 40 and filled.offset_index.lookup(9).offset == 9
    filled.append(batch(40))
    with pytest.raises(ValueError, match="have the suffix '.deleted', not '.swap'"):
        filled.change_file_suffixes(".swap", "")
    filled.change_file_suffixes(".deleted", "")
    assert disk.size(filled.file(".log")) == filled.size


def test_a_moved_directory_takes_the_files_along_and_deleting_leaves_none(disk, filled):
    filled.update_txn_index(Ended(7, 0, 39, True), 40)
    filled.update_parent_dir("orders-0.x-delete")
    assert disk.names("orders-0") == [] and len(disk.names("orders-0.x-delete")) == 4
    assert bases(filled.read(39, 1).records) == [] and tuple(filled.txn_index)
    filled.delete_if_exists()
    filled.delete_if_exists()
    assert disk.files == {}
