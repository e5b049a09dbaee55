"""UnifiedLog: one replica's log, where offsets are given and batches are found again.

A leader gives a batch its offsets (base offset = log end offset) and its leader epoch, in place,
without touching the checksum. A follower appends what the leader stored, byte for byte, and never
gives offsets. The whole log is one file so far; segments, indexes and retention follow.
"""

from typing import NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.errors import (
    CorruptRecordException,
    InvalidRecordException,
    OffsetOutOfRangeException,
    RecordTooLargeException,
)
from kafka_internals.record_batch import RecordBatch
from kafka_internals.storage.file_records import Batches, FileRecords, Storage, log_file


class LogAppendInfo(NamedTuple):
    """What an append did: its offsets, and the log's end before and after."""

    first_offset: int
    last_offset: int
    log_end_offset: int


class LogReadInfo(NamedTuple):
    """What a read found: the bytes, and the log's ends at that instant."""

    records: bytes
    log_start_offset: int
    log_end_offset: int


class UnifiedLog:
    """The log of one partition on one broker. Opening it recovers what a crash left."""

    def __init__(self, partition: TopicPartition, storage: Storage) -> None:
        self.partition = partition
        self._records = FileRecords(storage, log_file(partition))
        self.log_start_offset = 0
        last = self._records.last()
        self.log_end_offset = last.last_offset + 1 if last else 0
        self.recovered_bytes_cut = self._records.truncated_bytes

    def append_as_leader(self, batch: RecordBatch, leader_epoch: int,
                         max_message_bytes: int) -> LogAppendInfo:
        """Check a produced batch, give it offsets from the log end on, and write it.

        Errors: CorruptRecordException (checksum, structure), RecordTooLargeException (over
        `max.message.bytes`), InvalidRecordException (LogValidator: offsets that do not fit the
        record count, or a control batch from a client).
        """
        if batch.size > max_message_bytes:
            raise RecordTooLargeException(
                f"The record batch size in the append to {self.partition} is {batch.size} bytes "
                f"which exceeds the maximum configured value of {max_message_bytes}.")
        batch.ensure_valid()
        header = batch.header
        if header.base_offset != 0 or header.records_count != header.last_offset_delta + 1 \
                or header.records_count <= 0 or header.is_control:
            raise InvalidRecordException(
                f"a client's batch begins at offset 0 and is dense and without control records; "
                f"this one begins at {header.base_offset}, has {header.records_count} records and "
                f"a last offset delta of {header.last_offset_delta}")
        return self._append(batch.with_offsets(self.log_end_offset, leader_epoch))

    def append_as_follower(self, batch: RecordBatch) -> LogAppendInfo:
        """Write a batch as the leader stored it; it has to begin where this log ends."""
        batch.ensure_valid()
        if batch.base_offset < self.log_end_offset:
            raise CorruptRecordException(
                f"{self.partition}: a fetched batch begins at offset {batch.base_offset}, but this "
                f"log already ends at {self.log_end_offset}")
        return self._append(batch)

    def _append(self, batch: RecordBatch) -> LogAppendInfo:
        self._records.append(batch)
        self.log_end_offset = batch.last_offset + 1
        return LogAppendInfo(batch.base_offset, batch.last_offset, self.log_end_offset)

    def read(self, offset: int, max_bytes: int, end_offset: int,
             min_one_message: bool = True) -> LogReadInfo:
        """Stored bytes from the batch with `offset` up to `end_offset` (a high watermark, or LEO).

        An offset between the two ends gives what is there; outside OffsetOutOfRangeException.
        """
        if not self.log_start_offset <= offset <= self.log_end_offset:
            raise OffsetOutOfRangeException(
                f"Received request for offset {offset} for partition {self.partition}, but we only "
                f"have log segments upto {self.log_end_offset}.")
        records = self._records.read(offset, max_bytes, end_offset, min_one_message)
        return LogReadInfo(records, self.log_start_offset, self.log_end_offset)

    def bytes_between(self, offset: int, end_offset: int) -> int:
        """How many bytes a reader at `offset` could get below `end_offset`."""
        position = self._records.position_of
        return max(0, position(end_offset) - position(offset))

    def batches(self) -> Batches:
        """The batches in the log now, as a shared immutable view."""
        return self._records.snapshot()

    def content(self) -> bytes:
        """The whole file, as it lies on the disk."""
        return self._records.read(self.log_start_offset, self._records.size_bytes,
                                  self.log_end_offset, min_one=True)

    def flush(self) -> None:
        """Force the log to the platter."""
        self._records.flush()
