"""A lookup, step by step, leads to the batch that a read gives, and looking changes nothing."""

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.errors import OffsetOutOfRangeException
from kafka_internals.record_batch import batches
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.lookup_snapshot import look_up, segments_of
from kafka_internals.storage.unified_log import UnifiedLog
from tests.golden.cases import Case

PARTITION = TopicPartition("orders", 0)


def recorded(case: str) -> tuple[UnifiedLog, Disk]:
    """A log as an orderly stop left it, opened again."""
    disk = Disk(lambda n: 0)
    for path in (Case(f"storage/{case}").directory / "end").iterdir():
        disk.append(f"orders-0/{path.name}", path.read_bytes())
    return UnifiedLog(PARTITION, disk, is_clean=True, recovery_point=1_000), disk


def test_g_b_3_every_offset_leads_to_the_batch_that_a_read_gives():
    log, _ = recorded("read-segments")
    for offset in range(log.log_end_offset):
        one = look_up(log, offset)
        first = next(batches(log.read(offset, 1, log.log_end_offset).records))
        assert (one.found.base_offset, one.found.crc) == (first.base_offset, first.header.crc)
        assert one.found.base_offset <= offset <= one.found.last_offset
        assert one.scanned[-1] == one.found
        assert all(batch.last_offset < offset for batch in one.scanned[:-1])


def test_g_b_2_the_floor_is_the_last_entry_at_or_before_the_offset():
    log, _ = recorded("dir-interval-4096")
    one = look_up(log, 9)
    assert [(entry.offset, entry.position) for entry in one.entries] == [
        (5, 4829), (8, 9055), (12, 13685)]
    assert (one.compared, one.floor) == ((0, 1, 2), 1)
    assert [batch.position for batch in one.scanned] == [9055, 9491]
    assert look_up(log, 4).floor == -1 and look_up(log, 4).scanned[0].position == 0


def test_segments_say_what_their_files_hold():
    log, disk = recorded("read-segments")
    shown = segments_of(log)
    assert [one.base_offset for one in shown] == [0, 9, 17, 26]
    assert [one.next_offset for one in shown] == [9, 17, 26, 34]
    assert [one.size_bytes for one in shown] == [807, 677, 716, 630]
    assert [one.is_active for one in shown] == [False, False, False, True]
    assert shown[2].index_file_bytes == 16 == 8 * shown[2].entries
    assert shown[3].index_file_bytes == disk.size("orders-0/00000000000000000026.index")


def test_the_end_of_the_log_holds_nothing_yet():
    log, _ = recorded("read-segments")
    one = look_up(log, 34)
    assert one.found is None and one.segment == 3


@pytest.mark.parametrize("offset", [-1, 35])
def test_an_offset_outside_is_refused_with_both_ends(offset):
    log, _ = recorded("read-segments")
    with pytest.raises(OffsetOutOfRangeException, match=f"offset {offset} .* 0 up to 34"):
        look_up(log, offset)


def test_looking_makes_no_file_and_keeps_no_index_open():
    disk = Disk(lambda n: 0)
    log = UnifiedLog(PARTITION, disk)
    closed, _ = recorded("read-segments")
    opened = [segment.__dict__.keys() for segment in closed.local.segments]
    before = [set(keys) for keys in opened], {name: bytes(file.data)
                                              for name, file in disk.files.items()}
    look_up(log, 0)
    look_up(closed, 3)
    assert before == ([set(keys) for keys in opened], {
        name: bytes(file.data) for name, file in disk.files.items()})
