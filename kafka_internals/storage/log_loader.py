"""LogLoader: a partition's directory becomes a log again, whatever the last end left there.

After an orderly stop hardly anything is read: file names, the last index entries, one producer
snapshot. After any other end the segments from the recovery point on are recovered: read batch by
batch, cut at the first that is damaged, and whatever lies behind the cut is deleted, since a log
has no holes. Files with a suffix tell how far a rename had come when the end came (KAFKA-6264).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from kafka_internals.errors import CorruptIndexException
from kafka_internals.record_batch import RecordBatch
from kafka_internals.storage.file_records import Storage
from kafka_internals.storage.leader_epoch_file_cache import LeaderEpochFileCache
from kafka_internals.storage.log_file_utils import (
    CLEANED,
    DELETED,
    LOG,
    SEGMENT_FILES,
    SWAP,
    offset_from_file,
    segment_file,
)
from kafka_internals.storage.log_segment import LogSegment
from kafka_internals.storage.log_segments import LogSegments
from kafka_internals.storage.producer_state_manager import ProducerStateManager


class LoadedLogOffsets(NamedTuple):
    """Where the loaded log begins, up to where it is known to be flushed, and where it ends."""

    log_start_offset: int
    recovery_point: int
    next_offset: int


class LogLoader:
    """Loads one log. `new_segment(base_offset, suffix="")` opens a segment, or makes it.

    `delete_later(segments)` renames files to `.deleted`. `found` says what was mended, in order.
    """

    def __init__(self, storage: Storage, directory: str, segments: LogSegments,
                 epochs: LeaderEpochFileCache, new_segment: Callable[..., LogSegment],
                 new_producers: Callable[[], ProducerStateManager],
                 delete_later: Callable[[list[LogSegment]], None], now_ms: int) -> None:
        self._storage, self._directory, self._segments = storage, directory, segments
        self._epochs, self._new_segment, self._new_producers = epochs, new_segment, new_producers
        self._delete_later, self._now_ms = delete_later, now_ms
        self.found: list[str] = []

    def load(self, log_start_offset: int, recovery_point: int,
             is_clean: bool) -> tuple[LoadedLogOffsets, ProducerStateManager]:
        """Open every segment and bring epochs to the log's end; the producers are as of there.

        `log_start_offset` and `recovery_point` as checkpointed; `is_clean`: the last stop was
        orderly. Errors: KafkaException for a `.txnindex` of a version from the future.
        """
        self._complete_swaps()
        self._load_segments(log_start_offset)
        if not is_clean:
            self._recover(recovery_point, log_start_offset)
        next_offset = self._end_or_start_over(log_start_offset)
        start = max(log_start_offset, self._segments.first.base_offset)
        self._epochs.truncate_from_end(next_offset)
        self._epochs.truncate_from_start(start)
        producers = self._new_producers()       # the snapshots that recovery wrote are there now
        producers.remove_stray_snapshots(self._segments.base_offsets)
        rebuild_producer_state(producers, self._segments, start, next_offset, self._now_ms,
                               is_clean)
        flushed = next_offset if is_clean else min(recovery_point, next_offset)
        return LoadedLogOffsets(start, flushed, next_offset), producers

    # -- files on their way -------------------------------------------------------------------
    def _named(self, suffix: str | tuple[str, ...]) -> list[str]:
        return [name for name in self._storage.names(self._directory) if name.endswith(suffix)]

    def _delete(self, names: list[str], why: str) -> None:
        for name in names:
            self._storage.delete(f"{self._directory}/{name}")
            self.found.append(f"{name}: deleted, {why}")

    def _complete_swaps(self) -> None:
        """A cleaner that had begun to swap is completed, one that had not is forgotten."""
        if not self._named((DELETED, CLEANED, SWAP)):
            return
        self._delete(self._named(DELETED), "it was to be deleted")
        cleaned, swaps = self._named(CLEANED), self._named(SWAP)
        if cleaned:
            least = min(map(offset_from_file, cleaned))
            self._delete([name for name in swaps if offset_from_file(name) >= least],
                         "cleaning was not over")
        self._delete(cleaned, "cleaning was not over")
        covered = [self._new_segment(offset_from_file(name), SWAP) for name in self._named(SWAP)
                   if name.endswith(LOG + SWAP)]
        if covered:
            first = min(segment.base_offset for segment in covered)
            end = max(segment.read_next_offset() for segment in covered)
            self._delete([name for name in self._storage.names(self._directory)
                          if not name.endswith(SWAP) and name[:1].isdecimal()
                          and first <= offset_from_file(name) < end],
                         "a cleaned segment takes its place")
        for name in self._named(SWAP):
            self._storage.rename(f"{self._directory}/{name}",
                                 f"{self._directory}/{name.removesuffix(SWAP)}")
            self.found.append(f"{name}: renamed, the swap is completed")

    # -- segments -----------------------------------------------------------------------------
    def _load_segments(self, log_start_offset: int) -> None:
        for name in self._storage.names(self._directory):
            if (kind := name[name.rfind("."):]) not in SEGMENT_FILES:
                continue
            base = offset_from_file(name)
            if kind != LOG:
                if not self._storage.exists(segment_file(self._directory, base, LOG)):
                    self._delete([name], "no .log belongs to it")
                continue
            segment = self._new_segment(base)
            try:
                segment.sanity_check()
            except (FileNotFoundError, CorruptIndexException) as error:
                self.found.append(f"{name}: its indexes are made anew, {error}")
                self._recover_segment(segment, log_start_offset)
            self._segments.add(segment)

    def _recover_segment(self, segment: LogSegment, log_start_offset: int) -> int:
        producers = self._new_producers()
        rebuild_producer_state(producers, self._segments, log_start_offset, segment.base_offset,
                               self._now_ms, is_clean=False)
        cut = segment.recover(producers, self._epochs)
        producers.take_snapshot()
        return cut

    def _recover(self, recovery_point: int, log_start_offset: int) -> None:
        """Recover what was perhaps not flushed; behind a cut nothing is kept."""
        unflushed = self._segments.from_offset(recovery_point)
        for at, segment in enumerate(unflushed):
            if cut := self._recover_segment(segment, log_start_offset):
                self.found.append(f"{segment.base_offset:020d}{LOG}: {cut} bytes cut at offset "
                                  f"{segment.read_next_offset()}")
                lost = unflushed[at + 1:]
                for one in lost:
                    self._segments.remove(one)
                self._delete_later(lost)
                self.found += [f"{one.base_offset:020d}{LOG}: deleted, the log ends before it"
                               for one in lost]
                return

    def _end_or_start_over(self, log_start_offset: int) -> int:
        """Where the log ends; one without segments, or that ends before it begins, is empty."""
        if self._segments.active is not None:
            next_offset = self._segments.active.read_next_offset()
            if next_offset >= log_start_offset:
                return next_offset
            lost = list(self._segments)
            for one in lost:
                self._segments.remove(one)
            self._delete_later(lost)
            self.found.append(f"every segment: deleted, the log begins at {log_start_offset} only")
            self._epochs.clear_and_flush()
        self._segments.add(self._new_segment(log_start_offset))
        return self._segments.active.read_next_offset()


def rebuild_producer_state(producers: ProducerStateManager, segments: LogSegments,
                           log_start_offset: int, last_offset: int, now_ms: int,
                           is_clean: bool) -> None:
    """Bring the producers to `last_offset`: from the newest snapshot, then batch by batch.

    A log without any snapshot that was closed cleanly is one from before there were snapshots: it
    is not read, and nothing is known of its producers.
    """
    bases = segments.base_offsets
    if not producers.snapshot_offsets and is_clean:
        for offset in (*bases[1:], last_offset):
            producers.update_map_end_offset(offset)
            producers.take_snapshot()
        return
    producers.truncate_and_reload(log_start_offset, last_offset, now_ms)
    if last_offset > producers.map_end_offset:
        for segment in segments.from_offset(producers.map_end_offset):
            if segment.base_offset >= last_offset:
                break
            start = max(segment.base_offset, producers.map_end_offset, log_start_offset)
            producers.update_map_end_offset(start)
            if segment.base_offset in bases[-2:]:
                producers.take_snapshot()
            for batch in _batches(segment, start, last_offset):
                if batch.header.producer_id >= 0 and (completed := producers.replay(batch)):
                    producers.complete_txn(completed)
    producers.update_map_end_offset(last_offset)
    producers.take_snapshot()


def _batches(segment: LogSegment, start: int, end: int) -> Iterator[RecordBatch]:
    """The batches of a segment that hold offsets from `start` on and begin below `end`."""
    if first := segment.translate_offset(start):
        for stored in segment.log.headers(first.position):
            if stored.base_offset >= end:
                return
            yield segment.log.batch(stored)
