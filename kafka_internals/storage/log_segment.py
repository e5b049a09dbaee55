"""LogSegment: a stretch of a partition's log, the file of its batches and the indexes beside it.

A log is a row of segments, of which only the last is written to; retention and compaction work on
the others as wholes. A segment is found by its base offset, a batch in it by the offset index and a
short scan. Whatever stands beside the `.log` can be made again from it, which is what recovery does
after a crash. An index is opened, and its file made, when it is first needed (LazyIndex).
"""

from functools import cached_property
from operator import attrgetter
from typing import Any, Protocol

from kafka_internals.errors import (
    CorruptRecordException,
    InvalidRecordException,
    LogSegmentOffsetOverflowException,
)
from kafka_internals.record_batch import RecordBatch, batches
from kafka_internals.storage.abstract_index import LARGEST_RELATIVE_OFFSET
from kafka_internals.storage.fetch_data_info import FetchDataInfo, LogOffsetMetadata
from kafka_internals.storage.file_records import (
    FileRecords,
    Storage,
    StoredBatch,
    TimestampAndOffset,
)
from kafka_internals.storage.leader_epoch_file_cache import LeaderEpochFileCache
from kafka_internals.storage.log_file_utils import (
    LARGEST_OFFSET,
    LOG,
    OFFSET_INDEX,
    SEGMENT_FILES,
    TIME_INDEX,
    TXN_INDEX,
    segment_file,
)
from kafka_internals.storage.offset_index import OffsetIndex, OffsetPosition
from kafka_internals.storage.time_index import TimeIndex, TimestampOffset
from kafka_internals.storage.transaction_index import (
    AbortedTxn,
    TransactionIndex,
    TxnIndexSearchResult,
)


class ProducerState(Protocol):
    """What recovery feeds: ProducerStateManager. A completed transaction has `producer_id`,
    `first_offset`, `last_offset` and `is_aborted`."""

    def replay(self, batch: RecordBatch) -> Any | None: ...
    def last_stable_offset(self, completed: Any) -> int: ...
    def complete_txn(self, completed: Any) -> None: ...
    def update_map_end_offset(self, offset: int) -> None: ...


class LogSegment:
    """One segment. A `.log` that is not there is created; one that is there is not read.

    `directory`: the partition's, "orders-0". `suffix`: what its files carry behind their own, such
    as ".cleaned". `index_interval_bytes` and `max_index_bytes` are the configs
    `index.interval.bytes` and `segment.index.bytes`.
    """

    def __init__(self, storage: Storage, directory: object, base_offset: int, *, now_ms: int,
                 index_interval_bytes: int = 4096, max_index_bytes: int = 10 * 1024 * 1024,
                 roll_jitter_ms: int = 0, suffix: str = "") -> None:
        self._storage, self.directory, self.suffix = storage, str(directory), suffix
        self.base_offset, self.created_ms = base_offset, now_ms
        self.index_interval_bytes, self._max_index_bytes = index_interval_bytes, max_index_bytes
        self.roll_jitter_ms = roll_jitter_ms
        self._bytes_since_last_index_entry = 0
        self._max_so_far: tuple[int, int] | None = None         # None: not read from the index yet
        self._first_batch_timestamp: int | None = None
        name = self.file(LOG)
        self._began_here = not storage.exists(name)             # every batch is remembered
        if self._began_here:
            storage.append(name, b"")
        self.log = FileRecords(storage, name)
        self.txn_index = TransactionIndex(storage, self.file(TXN_INDEX), base_offset)

    def file(self, kind: str) -> str:
        """The path of one of its files, as `SEGMENT_FILES` names the kinds."""
        return segment_file(self.directory, self.base_offset, kind, self.suffix)

    @cached_property
    def offset_index(self) -> OffsetIndex:
        """The `.index`, opened when it is first needed."""
        return OffsetIndex(self._storage, self.file(OFFSET_INDEX), self.base_offset,
                           self._max_index_bytes)

    @cached_property
    def time_index(self) -> TimeIndex:
        """The `.timeindex`, opened when it is first needed."""
        return TimeIndex(self._storage, self.file(TIME_INDEX), self.base_offset,
                         self._max_index_bytes)

    def peek_offset_index(self) -> OffsetIndex | None:
        """The `.index` for a look that changes nothing: it is neither made nor kept open."""
        if "offset_index" in self.__dict__:
            return self.offset_index
        name = self.file(OFFSET_INDEX)
        return OffsetIndex(self._storage, name, self.base_offset, self._max_index_bytes) \
            if self._storage.exists(name) else None

    def _opened(self) -> list[OffsetIndex | TimeIndex]:
        return [self.__dict__[name] for name in ("offset_index", "time_index")
                if name in self.__dict__]

    def __repr__(self) -> str:
        return f"LogSegment({self.file(LOG)}, {self.size} bytes)"

    # -- what it holds ------------------------------------------------------------------------
    size = property(attrgetter("log.size_bytes"), doc="Bytes of the batches.")

    @property
    def max_timestamp_and_offset_so_far(self) -> TimestampOffset:
        """The largest timestamp, and the last offset of the batch with it; as far as is known.

        A segment that is opened again knows what its time index says.
        """
        if self._max_so_far is None:
            self._max_so_far = self.time_index.last_entry
        return TimestampOffset(*self._max_so_far)

    @property
    def largest_timestamp(self) -> int:
        """The largest timestamp of a record, or when the file was last written; epoch ms."""
        largest = self.max_timestamp_and_offset_so_far.timestamp
        return largest if largest >= 0 else self._storage.modified_ms(self.file(LOG))

    def read_next_offset(self) -> int:
        """The offset behind the last batch; the base offset of an empty segment.

        Errors: LogSegmentOffsetOverflowException where that is no offset any more.
        """
        next_offset = self.base_offset
        for batch in self.log.headers(self.offset_index.last_entry.position):
            next_offset = batch.last_offset + 1
        if next_offset > LARGEST_OFFSET:
            raise LogSegmentOffsetOverflowException(
                f"{self!r} ends behind offset {next_offset - 1}; no offset follows "
                f"{LARGEST_OFFSET}")
        return next_offset

    def _ensure_offset_in_range(self, offset: int) -> None:
        if not 0 <= offset - self.base_offset <= LARGEST_RELATIVE_OFFSET \
                or offset >= LARGEST_OFFSET:
            raise LogSegmentOffsetOverflowException(
                f"offset {offset} does not fit into {self!r}, which takes {self.base_offset} to "
                f"{min(self.base_offset + LARGEST_RELATIVE_OFFSET, LARGEST_OFFSET - 1)}")

    # -- append -------------------------------------------------------------------------------
    def append(self, *batches: RecordBatch) -> None:
        """Write batches whose offsets are final behind the last one, and index them.

        Errors: LogSegmentOffsetOverflowException, before anything is written.
        """
        self._ensure_offset_in_range(batches[-1].last_offset)
        position = self.log.size_bytes
        self.log.append(*batches)
        for batch in batches:
            self._index(batch, position)
            position += batch.size

    def _index(self, batch: RecordBatch, position: int) -> None:
        """Note the largest timestamp; one entry each, where the interval since the last is over.

        An entry stands for the batch that is about to be counted, so the first never has one.
        """
        timestamp, offsets = batch.header.max_timestamp, self.offset_index  # its file is there now
        if timestamp > (self._max_so_far or self.max_timestamp_and_offset_so_far)[0]:
            self._max_so_far = timestamp, batch.last_offset
        if self._bytes_since_last_index_entry > self.index_interval_bytes:
            offsets.append(batch.last_offset, position)
            self.time_index.maybe_append(*self._max_so_far)
            self._bytes_since_last_index_entry = 0
        self._bytes_since_last_index_entry += batch.size

    def update_txn_index(self, completed: Any, last_stable_offset: int) -> None:
        """Note a transaction that a marker in this segment has ended, if it was aborted."""
        if completed.is_aborted:
            self.txn_index.append(AbortedTxn(completed.producer_id, completed.first_offset,
                                             completed.last_offset, last_stable_offset))

    # -- roll ---------------------------------------------------------------------------------
    def why_roll(self, max_segment_ms: int, max_segment_bytes: int, max_timestamp_in_messages: int,
                 max_offset_in_messages: int, messages_size: int, now_ms: int) -> str | None:
        """Which limit makes the log roll before an append, by its config; None where it fits.

        The limits and the append that is about to happen are Kafka's RollParams.
        """
        size = self.log.size_bytes
        if size > max_segment_bytes - messages_size:
            return "segment.bytes"
        waited_ms = self.time_waited_for_roll(now_ms, max_timestamp_in_messages)
        if size > 0 and waited_ms > max_segment_ms - self.roll_jitter_ms:
            return "segment.ms"
        if self.offset_index.is_full or self.time_index.is_full:
            return "segment.index.bytes"
        if not 0 <= max_offset_in_messages - self.base_offset <= LARGEST_RELATIVE_OFFSET:
            return "relative offset"
        return None

    def time_waited_for_roll(self, now_ms: int, message_timestamp: int) -> int:
        """How long this segment has been written to, in milliseconds.

        From its first batch to the new one, by record time; by the clock since its creation where
        the first batch has no timestamp.
        """
        if self._first_batch_timestamp is None:
            if first := next(self.log.headers(), None):
                self._first_batch_timestamp = first.max_timestamp
        if self._first_batch_timestamp is not None and self._first_batch_timestamp >= 0:
            return message_timestamp - self._first_batch_timestamp
        return now_ms - self.created_ms

    def on_become_inactive_segment(self) -> None:
        """The log has rolled: write the final time index entry and cut the indexes to size."""
        self.time_index.maybe_append(*self.max_timestamp_and_offset_so_far, skip_full_check=True)
        self.offset_index.trim_to_valid_size()
        self.time_index.trim_to_valid_size()

    def resize_indexes(self, size_bytes: int) -> None:
        """Give both indexes room again: this segment becomes the active one."""
        self.offset_index.resize(size_bytes)
        self.time_index.resize(size_bytes)

    # -- read ---------------------------------------------------------------------------------
    def translate_offset(self, offset: int, starting_position: int = 0) -> StoredBatch | None:
        """The first batch that ends at or behind `offset`: by the index, then by a scan.

        What this segment has remembered since it began needs neither, with the same result.
        """
        if self._began_here:
            return self.log.search_for_offset(offset, starting_position)
        floor = self.offset_index.lookup(offset).position
        return self.log.search_for_offset(offset, max(floor, starting_position))

    def read(self, start_offset: int, max_size: int, max_position: int | None = None,
             min_one_message: bool = False) -> FetchDataInfo | None:
        """Bytes from the batch that holds `start_offset` on; None where this segment ends before.

        At most `max_size`, and none from byte `max_position` on. The first batch comes whole with
        `min_one_message`; the last one may be torn. ValueError for a size below 0.
        """
        if max_size < 0:
            raise ValueError(f"a read takes 0 bytes or more; max_size is {max_size}")
        if (first := self.translate_offset(start_offset)) is None:
            return None
        at = LogOffsetMetadata(first.base_offset, self.base_offset, first.position)
        limit = max(max_size, first.size) if min_one_message else max_size
        if limit == 0:
            return FetchDataInfo(at, b"")
        end = self.log.size_bytes if max_position is None else max_position
        size = max(0, min(end - first.position, limit))
        return FetchDataInfo(at, self.log.slice(first.position, size), limit < first.size)

    def fetch_upper_bound_offset(self, start: OffsetPosition, fetch_size: int) -> int | None:
        """An offset at or behind the end of such a fetch; None where the index does not know."""
        upper = self.offset_index.fetch_upper_bound_offset(start, fetch_size)
        return upper.offset if upper else None

    def collect_aborted_txns(self, fetch_offset: int, upper_bound: int) -> TxnIndexSearchResult:
        """The aborted transactions that touch the offsets of a fetch."""
        return self.txn_index.collect_aborted_txns(fetch_offset, upper_bound)

    def find_offset_by_timestamp(self, timestamp: int,
                                 starting_offset: int) -> TimestampAndOffset | None:
        """The first record at or behind `starting_offset` that is not older than `timestamp`."""
        known = self.time_index.lookup(timestamp)
        position = self.offset_index.lookup(max(known.offset, starting_offset)).position
        return self.log.search_for_timestamp(timestamp, position, starting_offset)

    # -- truncate, recover --------------------------------------------------------------------
    def truncate_to(self, offset: int, now_ms: int) -> int:
        """Cut the batch that holds `offset`, whole, and all behind it; how many bytes."""
        first = self.translate_offset(offset)
        for index in (self.offset_index, self.time_index, self.txn_index):
            index.truncate_to(offset)
        self.resize_indexes(self._max_index_bytes)
        cut = self.log.truncate_to(first.position) if first else 0
        if self.size == 0:
            self.created_ms, self._first_batch_timestamp = now_ms, None
        self._bytes_since_last_index_entry = 0
        if self.max_timestamp_and_offset_so_far.timestamp >= 0:
            self._max_so_far = self.time_index.last_entry
        return cut

    def recover(self, producers: ProducerState, epochs: LeaderEpochFileCache | None = None) -> int:
        """Make the indexes again from the batches, up to the first that is not whole and sound.

        The rest of the file is cut; how many bytes that were. `producers` and `epochs` are told
        of each batch. Errors: LogSegmentOffsetOverflowException.
        """
        for index in (self.offset_index, self.time_index, self.txn_index):
            index.reset()
        self._max_so_far, self._bytes_since_last_index_entry, valid = None, 0, 0
        try:
            for batch in batches(self.log.slice()):
                batch.ensure_valid()
                self._ensure_offset_in_range(batch.last_offset)
                self._index(batch, valid)
                valid += batch.size
                self._replay(batch, producers, epochs)
        except (CorruptRecordException, InvalidRecordException):
            pass                                        # what is lost here, replicas still have
        self._bytes_since_last_index_entry = 0
        cut = self.log.truncate_to(valid)
        self.on_become_inactive_segment()
        return cut

    def _replay(self, batch: RecordBatch, producers: ProducerState,
                epochs: LeaderEpochFileCache | None) -> None:
        epoch = batch.header.partition_leader_epoch
        if epochs is not None and epoch >= 0 \
                and (epochs.latest_epoch is None or epoch > epochs.latest_epoch):
            epochs.assign(epoch, batch.base_offset)
        self.update_producer_state(batch, producers)

    def update_producer_state(self, batch: RecordBatch, producers: ProducerState) -> None:
        """Tell of a batch that is in the log; an aborted transaction comes into the index."""
        if batch.header.producer_id >= 0 and (completed := producers.replay(batch)):
            self.update_txn_index(completed, producers.last_stable_offset(completed))
            producers.complete_txn(completed)
        producers.update_map_end_offset(batch.last_offset + 1)

    def sanity_check(self) -> None:
        """What is looked at of a segment that is not recovered: hardly anything.

        Errors: FileNotFoundError (no `.index`), CorruptIndexException and KafkaException
        (`.txnindex`). A `.timeindex` that is missing is created empty.
        """
        if not self._storage.exists(self.file(OFFSET_INDEX)):
            raise FileNotFoundError(f"{self.file(OFFSET_INDEX)} does not exist")
        if not self._storage.exists(self.file(TIME_INDEX)):
            self.time_index.resize(0)
        self.txn_index.sanity_check()

    # -- files --------------------------------------------------------------------------------
    def flush(self) -> None:
        """What was written so far survives a power loss from now on."""
        for one in (self.log, self.offset_index, self.time_index, self.txn_index):
            one.flush()

    def close(self) -> None:
        """Leave the files as an orderly stop does: final entry, indexes cut to size, flushed."""
        if self._max_so_far is not None:
            self.time_index.maybe_append(*self._max_so_far, skip_full_check=True)
        for index in self._opened():
            index.close()
        self.log.flush()

    def change_file_suffixes(self, old: str, new: str) -> None:
        """Rename the files that are there, `.log` first: "" to ".deleted", ".swap" to ""."""
        if old != self.suffix:
            raise ValueError(f"the files of {self!r} have the suffix {self.suffix!r}, not {old!r}")
        self._move(self.directory, new)

    def update_parent_dir(self, directory: object) -> None:
        """The partition's directory has another name now: its files move along."""
        self._move(str(directory), self.suffix)

    def _move(self, directory: str, suffix: str) -> None:
        before = [self.file(kind) for kind in SEGMENT_FILES]
        self.directory, self.suffix = directory, suffix
        for old, kind in zip(before, SEGMENT_FILES):
            if self._storage.exists(old):
                self._storage.rename(old, self.file(kind))
        self.log.name, self.txn_index.name = self.file(LOG), self.file(TXN_INDEX)
        for index in self._opened():
            index.name = self.file(OFFSET_INDEX if isinstance(index, OffsetIndex) else TIME_INDEX)

    def delete_if_exists(self) -> None:
        """Remove the files that are there."""
        for kind in SEGMENT_FILES:
            if self._storage.exists(self.file(kind)):
                self._storage.delete(self.file(kind))
