"""The boss of module 2: how many bytes of a segment does a broker keep after an unclean stop?

The cases are real ones of the engine: a LogSegment on a disk with a page cache, and a crash, a
power loss or a flipped byte, by the dice of a seed. What is right is what LogSegment.recover keeps:
it reads batch by batch from byte 0, the first that is not whole and sound ends the log, and the
index is made anew from what is left, never believed.
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from struct import iter_unpack
from typing import NamedTuple

from kafka_internals.byte_utils import crc32c
from kafka_internals.course.exercise import Case, Exercise, Verdict, grade
from kafka_internals.course.recovery_film import recovery_film
from kafka_internals.record_batch import (
    CRC_COVERS_FROM,
    LOG_OVERHEAD,
    RECORD_BATCH_OVERHEAD,
    SPANS,
    BatchHeader,
    RecordBatch,
    encode,
)
from kafka_internals.sim.disk import Disk
from kafka_internals.sim.disk_faults import CorruptSector
from kafka_internals.sim.disk_file import PAGE_BYTES, SECTOR_BYTES
from kafka_internals.sim.world import World
from kafka_internals.storage.log_file_utils import LOG, OFFSET_INDEX
from kafka_internals.storage.log_segment import LogSegment

LAST, MIDDLE = "a flipped byte in the last batch", "a flipped byte in the middle"
AHEAD, HOLE, TORN = "an index ahead of its log", "a hole", "a torn batch"
HEADER = "a torn header"
CLEAN, PAGE = "a clean end", "a torn page"
KINDS = (CLEAN, TORN, HEADER, PAGE, LAST, AHEAD, HOLE, MIDDLE)
CUTS = (LAST, MIDDLE, TORN, HEADER)          # what is made by hand; the others, power losses
BATCHES = range(2, 9)                       # one case of each kind for each of these lengths
INTERVAL_BYTES, INDEX_BYTES = 1024, 800     # small, so that a small log has an index
CRC_AT = SPANS["crc"][0]
SOLUTION = '''\
def recover(log_bytes, index_bytes):
    position = 0                                    # the index is not believed: it may be ahead
    while position + 61 <= len(log_bytes):
        header = batch_header(log_bytes, position)
        end = position + 12 + header.batch_length   # 12: what batch_length does not count
        if header.batch_length < 49 or end > len(log_bytes):
            break                                   # impossible, or torn
        if header.magic != 2 or crc32c(log_bytes[position + 21:end]) != header.crc:
            break                                   # not what was written
        position = end
    return position
'''
PRAISE = ("The broker would keep exactly these bytes, and fetch the rest from its leader. The "
          "index was of no help: it may be ahead of the log.")


def batch_header(log_bytes: bytes, position: int = 0) -> BatchHeader:
    """The 61 bytes of a batch's header, unpacked: `batch_length`, `magic`, `crc`, `base_offset`...

    CorruptRecordException where fewer than 61 bytes are left.
    """
    return RecordBatch(log_bytes[position:position + RECORD_BATCH_OVERHEAD]).header


class Crashed(NamedTuple):
    """A segment before and after its accident. `spans`: where each batch was written."""

    kind: str
    written: bytes
    log: bytes
    index: bytes
    spans: tuple[tuple[int, int], ...]      # (first byte, byte after the last)
    kept: int                               # what LogSegment.recover keeps

    @property
    def entries(self) -> list[int]:
        """The bytes that the index points at; room that nobody wrote is no entry."""
        return [position for offset, position in iter_unpack(">ii", self.index) if position > 0]


# -- accidents ---------------------------------------------------------------------------------
class _NoProducers:
    """Recovery tells producer states of each batch; these batches have no producer id."""

    def update_map_end_offset(self, offset: int) -> None: ...


def _segment(disk: Disk, draw: Callable[[int], int], batches: int, least: int) -> LogSegment:
    """A segment of so many batches, flushed behind one of them or never, as luck has it."""
    segment = LogSegment(disk, "orders-0", 0, now_ms=0, index_interval_bytes=INTERVAL_BYTES,
                         max_index_bytes=INDEX_BYTES)
    offset, flushed = 0, draw(batches + 1)
    for number in range(batches):
        records, size = 1 + draw(3), least + draw(1400)
        segment.append(RecordBatch(encode(
            [(1_000 + number, None, bytes((97 + draw(26),)) * (size // records), ())
             for _ in range(records)], base_offset=offset, partition_leader_epoch=0)))
        offset += records
        if number == flushed:
            disk.flush(segment.file(LOG))
    return segment


def _accident(kind: str, disk: Disk, segment: LogSegment, draw: Callable[[int], int]) -> None:
    log, stored = segment.file(LOG), list(segment.log.headers())
    if kind in (LAST, MIDDLE):
        hit = stored[-1] if kind == LAST else stored[draw(len(stored) - 1)]
        disk.faults.append(CorruptSector(log, hit.position + CRC_AT + draw(hit.size - CRC_AT),
                                         1 << draw(8)))
    elif kind == TORN:                      # the process died within a write
        disk.truncate(log, disk.size(log) - 1 - draw(120))
    elif kind == HEADER:                    # so few bytes of the last batch that none can read it
        disk.truncate(log, stored[-1].position + 1 + draw(RECORD_BATCH_OVERHEAD - 1))
    else:
        if kind == AHEAD:
            disk.flush(segment.file(OFFSET_INDEX))      # the system happened to write it back
        disk.power_loss()


def _kind_of(one: Crashed) -> str:
    """What a power loss has made of a log."""
    size, is_prefix = len(one.log), one.written.startswith(one.log)
    if one.entries and one.entries[-1] > size:
        return AHEAD
    if not is_prefix and not any(one.log[one.kept:one.kept + LOG_OVERHEAD]):
        return HOLE
    if is_prefix and one.kept == size and size > one.spans[0][1]:
        return CLEAN
    return PAGE if is_prefix and size % PAGE_BYTES and not size % SECTOR_BYTES else ""


@cache
def crashed(kind: str, batches: int, seed: int) -> Crashed | None:
    """One accident by its seed; None where the dice made another kind of it."""
    draw = World(seed).draw("boss", kind)
    disk = Disk(draw)
    segment = _segment(disk, draw, batches, 4000 if kind == HOLE else 60)
    written = disk.read(log := segment.file(LOG))
    spans = tuple((one.position, one.position + one.size) for one in segment.log.headers())
    _accident(kind, disk, segment, draw)
    found, index = disk.read(log), disk.read(segment.file(OFFSET_INDEX))
    again = LogSegment(disk, "orders-0", 0, now_ms=0, max_index_bytes=INDEX_BYTES)
    again.recover(_NoProducers())
    one = Crashed(kind, written, found, index, spans, again.size)
    return one if found and kind in (*CUTS, _kind_of(one)) else None


def _cases() -> Iterator[Case]:
    for kind in KINDS:
        for batches in BATCHES:
            one = next(filter(None, (crashed(kind, batches, seed)
                                     for seed in count(1000 * batches))))
            yield Case(f"a log of {batches} batches with {kind}", (one.log, one.index), one.kept,
                       batches, one)


@cache
def recovery() -> Exercise:
    """The exercise: `recover(log_bytes, index_bytes)` gives how many bytes a broker keeps."""
    return Exercise("recover", tuple(_cases()), int, "a number of bytes", explain, recovery_film,
                    SOLUTION, PRAISE)


def grade_recovery(answer: Callable[[bytes, bytes], int]) -> Verdict:
    """Grade a reader's `recover(log_bytes, index_bytes)`."""
    return grade(answer, recovery())


# -- what a wrong answer would do ----------------------------------------------------------------
def explain(case: Case, given: int) -> str:
    """One sentence on what a broker that kept `given` bytes would lose or serve."""
    one: Crashed = case.about
    if given < 0:
        return f"recover() gave {given}; a log keeps 0 bytes or more."
    if given > len(one.log):
        return _beyond(one, given)
    return _garbage(one, given) if given > one.kept else _lost(one, given)


def _beyond(one: Crashed, given: int) -> str:
    size = len(one.log)
    if given in one.entries:
        return (f"recover() gave {given}, where the last entry of the index points, but the log "
                f"ends at {size}: the index reached the disk, and what it points at did not.")
    if one.kept + LOG_OVERHEAD > size:
        return f"recover() gave {given}, but the file has {size} bytes."
    declared = int.from_bytes(one.log[one.kept + 8:one.kept + LOG_OVERHEAD]) + LOG_OVERHEAD
    return (f"recover() gave {given}, but the file has {size} bytes. The batch at byte {one.kept} "
            f"declares {declared}, and {size - one.kept} are there: a length is a promise, not a "
            f"fact.")


def _garbage(one: Crashed, given: int) -> str:
    behind = [start for start, end in one.spans if one.kept < start and end <= given]
    later = (f" What stands behind it, {_count(len(behind), 'batch', 'batches')}, does not help: "
             f"a log has no gaps, so the first bad batch ends it." if behind else "")
    return f"recover() gave {given} and so keeps {_flaw(one)}.{later}"


def _flaw(one: Crashed) -> str:
    """What is wrong with the batch at which the broker cuts."""
    at, left = one.kept, len(one.log) - one.kept
    if left < RECORD_BATCH_OVERHEAD:
        return f"{_count(left, 'byte')} at the end that are no whole header"
    header = batch_header(one.log, at)
    if header.size < RECORD_BATCH_OVERHEAD:
        return f"zeros: at byte {at} the disk has a hole where a batch was"
    if header.size > left:
        return (f"a batch that is torn: the one at byte {at} declares {header.size} bytes, and "
                f"{left} are there")
    computed = crc32c(one.log[at + CRC_COVERS_FROM:at + header.size])
    return (f"a batch that is not what was written: at byte {at} the header has the crc "
            f"{header.crc:#010x}, its bytes give {computed:#010x}")


def _lost(one: Crashed, given: int) -> str:
    cut = [(start, end) for start, end in one.spans if given <= start and end <= one.kept]
    records = _count(sum(batch_header(one.written, start).records_count for start, _ in cut),
                     "record")
    if given and given not in (start for start, _ in one.spans):
        return f"recover() gave {given}, which is in the middle of a batch that is sound."
    if given == 0:
        return (f"recover() gave 0 and so drops the whole segment: {records} in "
                f"{_count(len(cut), 'sound batch', 'sound batches')} would be gone.")
    if len(cut) == 1:
        return (f"recover() gave {given} and so stops one batch early: the last one, bytes {given} "
                f"to {one.kept - 1}, is whole and its checksum fits; {records} would be gone.")
    return (f"recover() gave {given}: {records} in {len(cut)} sound batches behind it would be "
            f"gone.")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
