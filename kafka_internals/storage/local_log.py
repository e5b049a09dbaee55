"""LocalLog: the segments of one replica as files, without any idea of replication.

The active segment takes every append; when it is full, or old, the log rolls to a new one. Files
that are not needed any more are renamed to `.deleted` first and removed after
`file.delete.delay.ms`, for those who still read them.
"""

from collections.abc import Callable, Mapping
from typing import Any

from kafka_internals.common import TopicPartition
from kafka_internals.errors import KafkaException
from kafka_internals.record_batch import RecordBatch
from kafka_internals.storage.fetch_data_info import FetchDataInfo, LogOffsetMetadata
from kafka_internals.storage.file_records import Storage
from kafka_internals.storage.log_file_utils import DELETED, SEGMENT_FILES
from kafka_internals.storage.log_segment import LogSegment
from kafka_internals.storage.log_segments import LogSegments


class LocalLog:
    """Reads and writes by offset. `draw` is luck, for `segment.jitter.ms`; times in epoch ms."""

    def __init__(self, partition: TopicPartition, storage: Storage, configs: Mapping[str, Any],
                 draw: Callable[[int], int]) -> None:
        self.partition, self.directory, self.configs = partition, str(partition), configs
        self._storage, self._draw = storage, draw
        internal = configs["internal.segment.bytes"]            # its twin without a lower limit
        self.segment_limit = ("segment.bytes", configs["segment.bytes"]) if internal is None \
            else ("internal.segment.bytes", internal)
        self.max_segment_bytes, self._max_segment_ms = self.segment_limit[1], configs["segment.ms"]
        self.segments = LogSegments()
        self.recovery_point = self.log_end_offset = 0
        self._deletions: list[tuple[int, str]] = []             # (when, file)
        self._flush_to = 0                                      # what a roll wants flushed
        self.on_change: Callable[[], None] = lambda: None       # whoever keeps the time looks again

    def new_segment(self, base_offset: int, now_ms: int, suffix: str = "") -> LogSegment:
        """Open the segment with this base offset, or make its files."""
        configs, jitter_ms = self.configs, self.configs["segment.jitter.ms"]
        limit_ms = min(jitter_ms, configs["segment.ms"])
        return LogSegment(self._storage, self.directory, base_offset, now_ms=now_ms,
                          index_interval_bytes=configs["index.interval.bytes"],
                          max_index_bytes=configs["segment.index.bytes"],
                          roll_jitter_ms=self._draw(limit_ms) if limit_ms else 0, suffix=suffix)

    # -- writing ------------------------------------------------------------------------------
    def append(self, batches: list[RecordBatch]) -> None:
        """Write batches whose offsets are final; the log ends behind the last of them."""
        self.segments.active.append(*batches)
        self.log_end_offset = batches[-1].last_offset + 1

    def why_roll(self, max_timestamp: int, last_offset: int, size: int, now_ms: int) -> str | None:
        """Which limit makes the log roll before batches of `size` bytes; None where they fit."""
        return self.segments.active.why_roll(
            self._max_segment_ms, self.max_segment_bytes, max_timestamp, last_offset, size, now_ms)

    def roll(self, now_ms: int, expected_next_offset: int = 0) -> LogSegment:
        """Close the active segment and begin another one at the log's end, or behind it.

        Errors: KafkaException where such a segment exists already and is not empty.
        """
        base, active = max(expected_next_offset, self.log_end_offset), self.segments.active
        if base in self.segments:
            if active.base_offset != base or active.size:
                raise KafkaException(
                    f"Trying to roll a new log segment for topic partition {self.partition} with "
                    f"start offset {base} while it already exists and is not empty: {active!r}")
            active.delete_if_exists()
            self.segments.remove(active)
        elif base < active.base_offset:
            raise KafkaException(
                f"Trying to roll a new log segment for topic partition {self.partition} with start "
                f"offset {base} below that of the active segment, {active.base_offset}")
        else:
            active.on_become_inactive_segment()
        segment = self.new_segment(base, now_ms)
        self.segments.add(segment)
        return segment

    def flush(self, offset: int, including_active: bool = False) -> None:
        """Force what is below `offset` to the platter: the recovery point is there from now on.

        `including_active`: also a segment that begins there and is empty.
        """
        end = offset + including_active
        if end > self.recovery_point:
            for segment in self.segments.from_offset(self.recovery_point):
                if segment.base_offset < end:
                    segment.flush()
            self.recovery_point = offset
            self.on_change()

    def flush_later(self, offset: int) -> None:
        """Let the scheduler flush what is below `offset`, not whoever appends."""
        self._flush_to = offset
        self.on_change()

    # -- reading ------------------------------------------------------------------------------
    def read(self, offset: int, max_bytes: int, min_one_message: bool,
             end_offset: int) -> FetchDataInfo:
        """Bytes from the batch that holds `offset` on, none from `end_offset` on.

        A read ends with its segment. Where nothing is left the result is empty.
        """
        segment = self.segments.floor(offset) if offset < end_offset else None
        while segment is not None:
            following = self.segments.higher(segment.base_offset)
            ends_here = following is None or end_offset < following.base_offset
            last = segment.translate_offset(end_offset) \
                if ends_here and end_offset < self.log_end_offset else None
            info = segment.read(offset, max_bytes, last.position if last else segment.size,
                                min_one_message)
            if info is not None:
                return info
            segment = following
        return FetchDataInfo(LogOffsetMetadata(offset), b"")

    def bytes_between(self, offset: int, end_offset: int) -> int:
        """How many bytes lie between two offsets, over all segments."""
        if end_offset <= offset:
            return 0
        first, last = self.segments.floor(offset), self.segments.floor(end_offset)
        if first is None:
            return 0
        size = last.log.position_of(end_offset) - first.log.position_of(offset)
        if first is not last:
            size += sum(segment.size for segment in self.segments
                        if first.base_offset <= segment.base_offset < last.base_offset)
        return size

    # -- removing -----------------------------------------------------------------------------
    def delete_segments(self, segments: list[LogSegment], now_ms: int) -> None:
        """Forget segments: their files are renamed now and removed later."""
        for segment in segments:
            if segment.base_offset in self.segments:
                self.segments.remove(segment)
        self.delete_later(segments, now_ms)

    def delete_later(self, segments: list[LogSegment], now_ms: int) -> None:
        """Rename the files of segments that nobody knows any more, and remove them in time."""
        for segment in segments:
            segment.change_file_suffixes(segment.suffix, DELETED)
            self.remove_later([segment.file(kind) for kind in SEGMENT_FILES], now_ms)

    def remove_later(self, names: list[str], now_ms: int) -> None:
        """Remove files after `file.delete.delay.ms`."""
        due_ms = now_ms + self.configs["file.delete.delay.ms"]
        self._deletions += [(due_ms, name) for name in names]
        self.on_change()

    def do_due(self, now_ms: int) -> None:
        """Flush what a roll has left to do, and remove the files whose delay is over."""
        self.flush(self._flush_to)
        if not self._deletions:
            return
        for due_ms, name in self._deletions:
            if due_ms <= now_ms and self._storage.exists(name):
                self._storage.delete(name)
        self._deletions = [one for one in self._deletions if one[0] > now_ms]

    @property
    def next_deadline_ms(self) -> int | None:
        """When `do_due` has something to do; 0: at once."""
        if self._flush_to > self.recovery_point:
            return 0
        return min([due_ms for due_ms, _ in self._deletions]) if self._deletions else None

    def truncate_to(self, offset: int, now_ms: int) -> None:
        """Cut the log at `offset`: later segments go, the one that holds it loses its end."""
        self.delete_segments([one for one in self.segments if one.base_offset > offset], now_ms)
        self.segments.active.truncate_to(offset, now_ms)
        self._ends_at(offset)

    def _ends_at(self, offset: int) -> None:
        """What is flushed, or still to be flushed, lies below the log's end."""
        self.log_end_offset = offset
        self.recovery_point, self._flush_to = (min(one, offset) for one in (self.recovery_point,
                                                                            self._flush_to))

    def truncate_fully_and_start_at(self, offset: int, now_ms: int) -> None:
        """Delete everything; one empty segment begins at `offset`."""
        for segment in list(self.segments):
            self.segments.remove(segment)
            segment.delete_if_exists()
        self.segments.add(self.new_segment(offset, now_ms))
        self._ends_at(offset)
        self.recovery_point = offset

    def close(self) -> None:
        """Leave the files as an orderly stop does."""
        self.flush(self.log_end_offset, including_active=True)
        for segment in self.segments:
            segment.close()
