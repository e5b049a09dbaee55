"""LocalLog.read's way to a batch, step by step: segment, offset index, scan of the headers.

A log finds the segment whose base offset is the last one at or before the offset, that segment's
index the last entry at or before it, by binary search; from there batch headers are read until one
ends at or behind the offset. Looking changes nothing: an index that is not there is not made.
"""

from bisect import bisect_right
from operator import attrgetter
from typing import NamedTuple

from kafka_internals.errors import OffsetOutOfRangeException
from kafka_internals.storage.file_records import StoredBatch
from kafka_internals.storage.log_segment import LogSegment
from kafka_internals.storage.offset_index import OffsetPosition
from kafka_internals.storage.unified_log import UnifiedLog

ENTRIES_BEFORE, MOST_BEHIND = 4, 40


class SegmentSnapshot(NamedTuple):
    """A segment by its files' sizes, in bytes; nothing of them is read for it.

    `next_offset`: where the next segment begins, or the log ends. `index_file_bytes` is the length
    of the `.index`, which is preallocated while `is_active`; `entries`, how many are written.
    """

    base_offset: int
    next_offset: int
    size_bytes: int
    is_active: bool
    entries: int
    index_file_bytes: int


class LookupSnapshot(NamedTuple):
    """How an offset is found. `segment` and `floor` are numbers into `segments` and `entries`.

    `entries`: those of the segment's index. `compared`: the numbers of those that the binary search
    looks at, in order. `floor`: -1 where the scan begins at byte 0. `scanned`: the headers that are
    read, the last of them `found`'s, which is None at the end of the log. `batches`: what lies
    around the scan, in the order of the file. `segment_config` names what says how large a segment
    may be, `segment_bytes` is its value.
    """

    partition: str
    offset: int
    segments: tuple[SegmentSnapshot, ...]
    segment: int
    entries: tuple[OffsetPosition, ...]
    compared: tuple[int, ...]
    floor: int
    scanned: tuple[StoredBatch, ...]
    found: StoredBatch | None
    batches: tuple[StoredBatch, ...]
    segment_config: str
    segment_bytes: int


def segments_of(log: UnifiedLog) -> tuple[SegmentSnapshot, ...]:
    """The segments of a log, oldest first."""
    segments = list(log.local.segments)
    ends = [one.base_offset for one in segments[1:]] + [log.log_end_offset]
    return tuple(_snapshot(one, end, one is segments[-1])
                 for one, end in zip(segments, ends, strict=True))


def _snapshot(segment: LogSegment, next_offset: int, is_active: bool) -> SegmentSnapshot:
    index = segment.peek_offset_index()
    return SegmentSnapshot(segment.base_offset, next_offset, segment.size, is_active,
                           index.entries if index else 0, index.length_bytes if index else 0)


def look_up(log: UnifiedLog, offset: int) -> LookupSnapshot:
    """How a fetch at `offset` finds its first batch.

    Where a segment ends before the offset, the search goes on in the next, as a read does. Errors:
    OffsetOutOfRangeException before the log's start and behind its end.
    """
    if not log.log_start_offset <= offset <= log.log_end_offset:
        raise OffsetOutOfRangeException(
            f"Received request for offset {offset} for partition {log.partition}, but we only have "
            f"log segments from offset {log.log_start_offset} up to {log.log_end_offset}.")
    segments, shown = list(log.local.segments), segments_of(log)
    at = next(n for n in reversed(range(len(shown))) if shown[n].base_offset <= offset)
    while True:
        entries, compared, floor = _floor(segments[at], offset)
        scanned, found = _scan(segments[at], entries[floor].position if floor >= 0 else 0, offset)
        if found or at + 1 == len(shown):
            return LookupSnapshot(str(log.partition), offset, shown, at, entries, compared, floor,
                                  scanned, found, _around(segments[at], entries, floor, scanned),
                                  *log.local.segment_limit)
        at += 1


def _floor(segment: LogSegment,
           offset: int) -> tuple[tuple[OffsetPosition, ...], tuple[int, ...], int]:
    """(entries of the index, numbers of those compared with, number of the floor or -1)."""
    index = segment.peek_offset_index()
    if index is None:
        return (), (), -1
    entries, compared = tuple(index), index.lookup_steps(offset)
    return entries, compared, bisect_right(entries, offset, key=attrgetter("offset")) - 1


def _scan(segment: LogSegment, position: int,
          offset: int) -> tuple[tuple[StoredBatch, ...], StoredBatch | None]:
    """(headers read from a byte on, the batch that ends at or behind the offset or None)."""
    scanned: list[StoredBatch] = []
    for batch in segment.log.headers(position):
        scanned.append(batch)
        if batch.last_offset >= offset:
            return tuple(scanned), batch
    return tuple(scanned), None


def _around(segment: LogSegment, entries: tuple[OffsetPosition, ...], floor: int,
            scanned: tuple[StoredBatch, ...]) -> tuple[StoredBatch, ...]:
    """From a few entries before the floor to MOST_BEHIND batches behind the scan."""
    first, found, behind = floor - ENTRIES_BEFORE, [], 0
    last = scanned[-1].position if scanned else segment.size
    for batch in segment.log.headers(entries[first].position if first >= 0 else 0):
        found.append(batch)
        behind += batch.position > last
        if behind == MOST_BEHIND:
            break
    return tuple(found)
