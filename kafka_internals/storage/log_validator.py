"""LogValidator: a leader's look into a produced batch, once, before it becomes part of the log.

Every record is visited: its time has to suit the topic, a compacted topic wants keys, and one bad
record refuses the whole batch. Then the batch gets its offsets. Where nothing else has to change
that happens in its header, and compressed records stay as they came; only for a topic with another
`compression.type` the records are packed anew. Followers never do any of this.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.errors import (
    ApiException,
    CorruptRecordException,
    InvalidRecordException,
    InvalidTimestampException,
    UnknownServerException,
    UnsupportedCompressionTypeException,
)
from kafka_internals.record import skim_records
from kafka_internals.record_batch import (
    CODEC_MASK,
    CONTROL,
    LOG_APPEND_TIME,
    RECORD_BATCH_OVERHEAD,
    TRANSACTIONAL,
    BatchHeader,
    Record,
    RecordBatch,
    encode,
    read_records,
)
from kafka_internals.storage.append_origin import AppendOrigin

NO_TIMESTAMP = -1
ERRORS_SHOWN = 3
COMPRESSION_OF = {"uncompressed": "none"}               # the topic's word for the batch's


class RecordError(NamedTuple):
    """Why one record was refused; `batch_index` counts the batch's records from 0."""

    batch_index: int
    message: str


class ValidationResult(NamedTuple):
    """The batch as it shall be stored; times in epoch ms, -1 for none.

    `log_append_time_ms` is -1 where producers give the time. `rebuilt`: the size may have changed.
    """

    batch: RecordBatch
    max_timestamp: int
    offset_of_max_timestamp: int
    log_append_time_ms: int
    rebuilt: bool


class Visit(NamedTuple):
    """What one pass over the records has found; `dense`: offset deltas count 0, 1, 2 ..."""

    records: list[Record]
    max_timestamp: int
    index_of_max_timestamp: int
    dense: bool
    errors: list[tuple[type[ApiException], RecordError]]


def _java_long(number: int) -> int:
    """As Java counts: past the largest long comes the smallest."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


class LogValidator:
    """The rules of one partition's topic. `configs`: the topic's, by Kafka's names."""

    def __init__(self, partition: TopicPartition, configs: Mapping[str, Any]) -> None:
        self.partition = partition
        wanted = configs["compression.type"]
        self._codec = None if wanted == "producer" else COMPRESSION_OF.get(wanted, wanted)
        self._timestamp_type = configs["message.timestamp.type"]
        self._before_max_ms = configs["message.timestamp.before.max.ms"]
        self._after_max_ms = configs["message.timestamp.after.max.ms"]
        self._compacted = "compact" in configs["cleanup.policy"]

    def validate_and_assign_offsets(self, batch: RecordBatch, offset: int, leader_epoch: int,
                                    now_ms: int, origin: AppendOrigin = AppendOrigin.CLIENT
                                    ) -> ValidationResult:
        """Check a batch whose checksum is right and give its first record `offset`.

        Errors: InvalidRecordException (the header contradicts itself or the records, a control
        batch from a client, no key where keys are needed), InvalidTimestampException; with
        `record_errors` where single records are to blame. UnknownServerException for a payload
        that cannot be decompressed, for offsets with gaps in the topic's own codec, and for a
        timestamp below -1 in another.
        """
        if origin is AppendOrigin.CLIENT:
            self._ensure_clients_batch(batch.header)
        source = batch.header.compression_type
        target = self._target(batch.header, source)
        plain = source == target == "none" and not batch.header.attributes & LOG_APPEND_TIME
        visit = plain and self._skim(batch, now_ms) or \
            self._visit(batch, now_ms, partial=source == target != "none")
        self._refuse(visit.errors)
        rebuilt = source != target
        if source == target != "none" and not visit.dense:
            # A broker of 4.4.0 begins to rebuild such a batch and then misses the skipped keys.
            raise UnknownServerException(
                f"The server experienced an unexpected error when processing the request: the "
                f"records of a {source} batch for {self.partition} have offsets with gaps")
        stored = self._rebuild(batch.header, visit.records, target, offset, leader_epoch, now_ms) \
            if rebuilt else self._in_place(batch, visit.max_timestamp, now_ms).with_offsets(
                offset, leader_epoch)
        if self._timestamp_type == "LogAppendTime":
            return ValidationResult(stored, now_ms, stored.last_offset, now_ms, rebuilt)
        at = offset + visit.index_of_max_timestamp if visit.index_of_max_timestamp >= 0 else -1
        return ValidationResult(stored, visit.max_timestamp, at, NO_TIMESTAMP, rebuilt)

    def _target(self, header: BatchHeader, source: str) -> str:
        """The codec to store in. Control records are not compressed unless they came so."""
        plain_control = source == "none" and header.attributes & CONTROL
        return source if self._codec is None or plain_control else self._codec

    # -- checks -------------------------------------------------------------------------------
    def _ensure_clients_batch(self, header: BatchHeader) -> None:
        span, count = header.last_offset_delta + 1, header.records_count
        if span <= 0 or count <= 0 or span != count:
            raise InvalidRecordException(
                f"a batch for {self.partition} spans the offsets {header.base_offset} to "
                f"{header.last_offset}, but declares {count} records")
        if header.attributes & CONTROL:
            raise InvalidRecordException("Clients are not allowed to write control records")
        if header.producer_id >= 0 and header.base_sequence < 0:
            raise InvalidRecordException(
                f"Invalid sequence number {header.base_sequence} in record batch with producerId "
                f"{header.producer_id} in topic partition {self.partition}.")

    def _opened(self, batch: RecordBatch) -> Iterable[Record]:
        if not batch.header.attributes & CODEC_MASK:
            return batch.records()
        try:
            content = batch.record_bytes()
        except (CorruptRecordException, UnsupportedCompressionTypeException) as error:
            raise UnknownServerException(str(error)) from error
        return read_records(content, 0, batch.header)

    def _skim(self, batch: RecordBatch, now_ms: int) -> Visit | None:
        """What `_visit` finds in a batch that stays as it is; None where something is wrong."""
        header, max_timestamp, index_of_max = batch.header, NO_TIMESTAMP, -1
        base, compacted = header.base_timestamp, self._compacted
        earliest, latest = now_ms - self._before_max_ms, now_ms + self._after_max_ms
        if self._timestamp_type != "CreateTime":
            earliest, latest = -(1 << 63), 1 << 63
        try:
            for index, (delta, key) in enumerate(
                    skim_records(batch.buffer, RECORD_BATCH_OVERHEAD, header.records_count)):
                timestamp = base + delta
                if compacted and key < 0 or \
                        not earliest <= timestamp <= latest and timestamp != NO_TIMESTAMP:
                    return None
                if timestamp > max_timestamp:
                    max_timestamp, index_of_max = timestamp, index
        except (IndexError, ValueError):
            return None
        return Visit([], max_timestamp, index_of_max, True, [])

    def _visit(self, batch: RecordBatch, now_ms: int, partial: bool) -> Visit:
        """Look at every record; `partial`: as a broker that skips what it need not keep."""
        records, errors = [], []
        max_timestamp, index_of_max, dense = NO_TIMESTAMP, -1, True
        base_offset, create_time = batch.base_offset, self._timestamp_type == "CreateTime"
        flagged = batch.header.attributes & LOG_APPEND_TIME
        earliest, latest = now_ms - self._before_max_ms, now_ms + self._after_max_ms
        try:
            for index, record in enumerate(self._opened(batch)):
                offset, timestamp, key, _, _ = record
                if key is None and self._compacted:
                    errors.append(self._no_key(index))
                elif create_time and timestamp != NO_TIMESTAMP:
                    if not earliest <= timestamp <= latest:
                        errors.append(self._out_of_range(index, record, earliest, latest))
                elif flagged:
                    errors.append(self._wrong_type(index, record, partial))
                if timestamp > max_timestamp:
                    max_timestamp, index_of_max = timestamp, index
                dense = dense and offset == base_offset + index
                records.append(record)
        except CorruptRecordException as error:
            raise InvalidRecordException(str(error)) from error
        return Visit(records, max_timestamp, index_of_max, dense, errors)

    def _no_key(self, index: int) -> tuple:
        return InvalidRecordException, RecordError(
            index, f"Compacted topic cannot accept message without key in topic partition "
                   f"{self.partition}")

    @staticmethod
    def _out_of_range(index: int, record: Record, earliest: int, latest: int) -> tuple:
        return InvalidTimestampException, RecordError(
            index, f"Timestamp {record.timestamp} of message with offset {record.offset} is out of "
                   f"range. The timestamp should be within [{earliest}, {_java_long(latest)}]")

    @staticmethod
    def _wrong_type(index: int, record: Record, partial: bool) -> tuple:
        key, value = (-1 if data is None else len(data) for data in (record.key, record.value))
        name = "PartialDefaultRecord" if partial else "DefaultRecord"
        return InvalidTimestampException, RecordError(
            index, f"Invalid timestamp type in message {name}(offset={record.offset}, timestamp="
                   f"{record.timestamp}, key={key} bytes, value={value} bytes). Producer should "
                   f"not set timestamp type to LogAppendTime.")

    @staticmethod
    def _refuse(errors: list[tuple[type[ApiException], RecordError]]) -> None:
        """One bad record refuses all; a wrong time among them names the error."""
        if not errors:
            return
        found = tuple(error for _, error in errors)
        if any(kind is InvalidTimestampException for kind, _ in errors):
            refused: ApiException = InvalidTimestampException(
                "One or more records have been rejected due to invalid timestamp")
        else:
            shown = ", ".join(f"RecordError(batchIndex={one.batch_index}, message="
                              f"'{one.message}')" for one in found[:ERRORS_SHOWN])
            refused = InvalidRecordException(
                f"One or more records have been rejected due to {len(found)} record errors in "
                f"total, and only showing the first three errors at most: [{shown}]")
        refused.record_errors = found
        raise refused

    # -- what is stored -----------------------------------------------------------------------
    def _in_place(self, batch: RecordBatch, max_timestamp: int, now_ms: int) -> RecordBatch:
        create_time = self._timestamp_type == "CreateTime"
        return batch.with_timestamps(self._timestamp_type, max_timestamp if create_time else now_ms)

    def _rebuild(self, header: BatchHeader, records: list[Record], codec: str, offset: int,
                 leader_epoch: int, now_ms: int) -> RecordBatch:
        """The records in another codec, numbered anew; of the producer's state nothing is lost."""
        log_append_time = self._timestamp_type == "LogAppendTime"
        if (least := min(_java_long(one.timestamp) for one in records)) < NO_TIMESTAMP:
            raise UnknownServerException(f"Invalid negative timestamp {least}")
        return RecordBatch(encode(
            [record[1:] for record in records], base_offset=offset,
            partition_leader_epoch=leader_epoch, producer_id=header.producer_id,
            producer_epoch=header.producer_epoch, base_sequence=header.base_sequence,
            attributes=header.attributes & TRANSACTIONAL, compression_type=codec,
            log_append_time_ms=now_ms if log_append_time else None))
