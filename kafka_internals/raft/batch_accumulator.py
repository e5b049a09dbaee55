"""BatchAccumulator: what the leader's state machine has appended, until it is written.

Records of one append share a batch, so that all of them are in the log or none is. Appends that
follow one another within `controller.quorum.append.linger.ms` share one, too. Each record has its
offset at once: nobody else writes in this epoch. All records of a batch have the time of its first.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from kafka_internals.errors import (
    IllegalArgumentException,
    KafkaException,
    RecordBatchTooLargeException,
)
from kafka_internals.messages.kraft_control_records import control_record
from kafka_internals.messages.metadata_record_serde import encode as encode_value
from kafka_internals.raft.raft_log import MAX_BATCH_SIZE_BYTES
from kafka_internals.record import encode_record
from kafka_internals.record_batch import (
    CONTROL,
    RECORD_BATCH_OVERHEAD,
    RecordBatch,
    assemble,
    encode,
)

encoded = lru_cache(1_000, typed=True)(encode_value)     # every cluster begins with the same ones


class NotLeaderException(KafkaException):
    """A node that does not lead the metadata quorum, or not in this epoch, may not append."""


class _Open(NamedTuple):
    """The batch that is being filled; its records are encoded already."""

    base_offset: int
    timestamp: int
    records: list[bytes]
    size_bytes: int


class BatchAccumulator:
    """The batches of one leader's epoch, from `base_offset` on. Times in epoch ms."""

    def __init__(self, epoch: int, base_offset: int, linger_ms: int,
                 max_batch_bytes: int = MAX_BATCH_SIZE_BYTES) -> None:
        self.epoch, self.next_offset = epoch, base_offset
        self._linger_ms, self._max_batch_bytes = linger_ms, max_batch_bytes
        self._completed: list[RecordBatch] = []
        self._open: _Open | None = None
        self.drain_at_ms: int | None = None          # when the oldest record has waited enough
        self.reads: tuple = ()                       # why there is something, for "why?"

    def append(self, epoch: int, records: Iterable[Any], now_ms: int, reads: tuple = ()) -> int:
        """Take records, all of them into one batch; the offset of the last.

        Errors: NotLeaderException for an epoch that is over, IllegalArgumentException for one that
        has not begun or for no records, RecordBatchTooLargeException for more than a batch holds.
        """
        values = [encoded(one) for one in records]
        self._ensure_appendable(epoch, values)
        filled = self._filled(values, now_ms)
        if self._open is not None and filled.size_bytes > self._max_batch_bytes:
            self._complete()
            filled = self._filled(values, now_ms)
        if filled.size_bytes > self._max_batch_bytes:
            raise RecordBatchTooLargeException(
                f"The total record(s) size of {filled.size_bytes} exceeds the maximum allowed "
                f"batch size of {self._max_batch_bytes}")
        self._open = filled
        self.next_offset += len(values)
        self.reads += reads
        if self.drain_at_ms is None:
            self.drain_at_ms = now_ms + self._linger_ms
        return self.next_offset - 1

    def _ensure_appendable(self, epoch: int, values: list[bytes]) -> None:
        if epoch < self.epoch:
            raise NotLeaderException(f"Append failed because the given epoch {epoch} is stale. "
                                     f"Current leader epoch = {self.epoch}")
        if epoch > self.epoch:
            raise IllegalArgumentException(f"Attempt to append from epoch {epoch} which is larger "
                                           f"than the current epoch {self.epoch}")
        if not values:
            raise IllegalArgumentException("an append holds one record at least; none was given")

    def _filled(self, values: list[bytes], now_ms: int) -> _Open:
        """The batch that is open, or a new one, with these behind its records."""
        opened = self._open or _Open(self.next_offset, now_ms, [], RECORD_BATCH_OVERHEAD)
        added = [encode_record(0, delta, None, value, ())
                 for delta, value in enumerate(values, len(opened.records))]
        return _Open(opened.base_offset, opened.timestamp, opened.records + added,
                     opened.size_bytes + sum(map(len, added)))

    def _complete(self) -> None:
        if (opened := self._open) is not None:
            self._open = None
            self._completed.append(RecordBatch(assemble(
                opened.records, opened.timestamp, opened.timestamp,
                base_offset=opened.base_offset, partition_leader_epoch=self.epoch)))

    def append_control_messages(self, messages: Iterable[Any], now_ms: int) -> int:
        """Take control records as a batch of their own, which waits for nothing."""
        self._complete()
        records = [(now_ms, *control_record(one), ()) for one in messages]
        self._completed.append(RecordBatch(encode(
            records, base_offset=self.next_offset, partition_leader_epoch=self.epoch,
            attributes=CONTROL)))
        self.next_offset += len(records)
        self.drain_at_ms = now_ms
        return self.next_offset - 1

    def drain(self) -> list[RecordBatch]:
        """Everything, to be written now."""
        self._complete()
        drained, self._completed, self.drain_at_ms, self.reads = self._completed, [], None, ()
        return drained
