"""Golden behaviours of whole logs, retention and loading, and that each id has its test."""

import re
from pathlib import Path

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.config import TOPIC_CONFIG
from kafka_internals.record_batch import RecordBatch, encode
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.log_retention import delete_old_segments
from kafka_internals.storage.unified_log import UnifiedLog
from tests.storage.segments import batch

NAME = TopicPartition("orders", 0)
SMALL = {"internal.segment.bytes": 400, "index.interval.bytes": 100, "segment.index.bytes": 240}
BORNE = [f"G-A-{n}" for n in (*range(1, 10), 13)] + [f"G-B-{n}" for n in range(1, 17)] + \
    [f"G-C-{n}" for n in range(1, 15)] + [f"G-D-{n}" for n in range(1, 13)]


@pytest.fixture
def disk() -> Disk:
    return Disk(lambda n: 0)


def filled(disk: Disk, sizes: tuple[int, ...], times: tuple[int, ...] = (),
           **configs: int) -> UnifiedLog:
    """A log with one batch of each size, of one record; all of it is replicated."""
    given = {name.replace("_", "."): value for name, value in configs.items()}
    log = UnifiedLog(NAME, disk, TOPIC_CONFIG.parse({**SMALL, **given}))
    for at, size in enumerate(sizes):
        sent = batch(0, times=times[at] if times else 1_000, size=size)
        log.append_as_leader(sent, 0, times[at] if times else 1_000)
    log.update_high_watermark(log.log_end_offset)
    return log


def bases(log: UnifiedLog) -> tuple[int, ...]:
    return log.local.segments.base_offsets


@pytest.mark.parametrize("active, deleted", [(100, 0), (199, 0), (200, 1), (300, 1)])
def test_g_b_6_a_segment_goes_only_where_what_is_left_is_large_enough(disk, active, deleted):
    log = filled(disk, (400, 400, 400, active), retention_bytes=1_000, retention_ms=-1)
    assert bases(log) == (0, 1, 2, 3)
    assert delete_old_segments(log, 0) == deleted == log.log_start_offset
    assert log.size == 1_200 + active - 400 * deleted


def test_g_b_7_a_segment_goes_when_its_newest_record_is_too_old(disk):
    log = filled(disk, (400, 400), (5_000, 9_000), retention_ms=1_000)
    assert delete_old_segments(log, 6_000) == 0
    assert delete_old_segments(log, 6_001) == 1 and bases(log) == (1,)


def test_g_b_7_a_record_from_the_future_keeps_its_segment_and_all_behind_it(disk):
    log = filled(disk, (400, 400, 400), (5_000, 90_000, 5_000), retention_ms=1_000)
    assert delete_old_segments(log, 50_000) == 1 and bases(log) == (1, 2)


@pytest.mark.parametrize("high_watermark, left", [(1, (1, 2)), (2, (2,)), (0, (0, 1, 2))])
def test_g_b_8_nothing_above_the_high_watermark_goes(disk, high_watermark, left):
    log = filled(disk, (400, 400, 400), (5_000, 5_000, 5_000), retention_ms=1_000)
    log.high_watermark = high_watermark
    delete_old_segments(log, 50_000)
    assert bases(log) == left


def test_g_b_9_behind_a_broken_checksum_nothing_is_kept(disk):
    filled(disk, (200, 200, 200, 200, 200, 200, 200))
    name = "orders-0/00000000000000000002.log"
    disk.write(name, 399, bytes([disk.read(name)[399] ^ 1]))
    log = UnifiedLog(NAME, disk, TOPIC_CONFIG.parse(SMALL))
    assert (bases(log), log.log_end_offset) == ((0, 2), 3)
    assert disk.exists("orders-0/00000000000000000004.log.deleted")
    log.append_as_follower([batch(3)], 0, 0)
    assert log.log_end_offset == 4


def test_g_b_10_a_missing_index_is_made_again_and_no_other(disk):
    log = filled(disk, (150, 150, 400, 150, 150, 400))
    log.close()
    index, other = (f"orders-0/{base:020d}.index" for base in (0, 3))
    before, untouched = log.content(), disk.read(other)[:-1]
    disk.delete(index)
    disk.truncate(other, len(untouched))                        # nobody looks at this one
    again = UnifiedLog(NAME, disk, TOPIC_CONFIG.parse(SMALL), is_clean=True,
                       recovery_point=log.log_end_offset)
    assert again.content() == before
    assert list(again.local.segments.floor(0).offset_index) == [(1, 150)]
    assert disk.read(other) == untouched


def _swap(disk: Disk) -> bytes:
    """0.log.swap holds the offsets of the two segments before it, as one."""
    log = filled(disk, (400, 400, 400))
    log.close()
    merged = b"".join(RecordBatch(encode([(1_000, b"k", b"v", ())], base_offset=offset)).buffer
                      for offset in (0, 1))
    disk.append("orders-0/00000000000000000000.log.swap", merged)
    return merged


def test_g_b_12_a_swap_that_had_begun_is_completed(disk):
    merged = _swap(disk)
    log = UnifiedLog(NAME, disk, TOPIC_CONFIG.parse(SMALL))
    assert bases(log) == (0, 2) and log.local.segments.first.log.slice() == merged


def test_g_b_12_a_swap_beside_what_is_still_being_cleaned_is_forgotten(disk):
    _swap(disk)
    before = disk.read("orders-0/00000000000000000000.log")
    disk.append("orders-0/00000000000000000000.log.cleaned", b"")
    log = UnifiedLog(NAME, disk, TOPIC_CONFIG.parse(SMALL))
    assert bases(log) == (0, 1, 2) and log.local.segments.first.log.slice() == before
    assert not [name for name in disk.names("orders-0") if name.endswith((".swap", ".cleaned"))]


def _ids() -> set[str]:
    """The ids that names of tests bear: test_g_b_7_..., test_..._g_a_1, test_g_c_2_to_5_..."""
    found = set()
    for path in Path(__file__).parents[1].rglob("test_*.py"):
        for name in re.findall(r"^def (test_\w*)", path.read_text("utf-8"), re.MULTILINE):
            for area, first, last in re.findall(r"_g_([a-z])_(\d+)(?:_to_(\d+))?", name):
                found |= {f"G-{area.upper()}-{n}" for n in range(int(first),
                                                                 int(last or first) + 1)}
    return found


@pytest.mark.parametrize("id", BORNE)
def test_every_golden_behaviour_of_logs_clients_and_requests_has_a_test_with_its_id(id):
    assert id in _ids()
