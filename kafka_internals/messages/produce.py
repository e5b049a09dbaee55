"""Produce (key 0): a producer gives a leader one batch for each partition.

Sent by the producer's sender thread; acks 0 wants no answer, 1 the leader's, -1 that of the whole
in-sync replica set, within `timeout_ms`. KIP-951 lets the answer name the leader.
"""

from typing import NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.errors import (
    CorruptRecordException,
    InvalidRecordException,
    UnsupportedCompressionTypeException,
)
from kafka_internals.messages import LeaderIdAndEpoch, throttled
from kafka_internals.record_batch import LOG_OVERHEAD, MAGIC, SPANS, RecordBatch

NO_ACK, LEADER_ACK, ALL_ISR_ACKS = 0, 1, -1
FIRST_VERSION_WITH_ZSTD = 7
LEAST_SIZE_BYTES = 14                                   # of a message before there were batches


class PartitionProduceData(NamedTuple):
    """One batch for one partition."""

    partition: TopicPartition
    records: RecordBatch


class PartitionProduceResponse(NamedTuple):
    """What became of one batch: `error` is Kafka's name, "NONE" where it is in the log.

    `record_errors`: (index in the batch, message) of each record that was refused. With
    NOT_LEADER_OR_FOLLOWER `current_leader` says who leads, where the broker knows (KIP-951).
    """

    partition: TopicPartition
    error: str = "NONE"
    base_offset: int = -1
    log_append_time_ms: int = -1
    log_start_offset: int = -1
    message: str | None = None
    record_errors: tuple = ()
    current_leader: LeaderIdAndEpoch | None = None


def _next_batch(records: bytes) -> bytes | None:
    """The bytes of the first batch, None where there is no whole one."""
    if len(records) < LOG_OVERHEAD:
        return None
    size = int.from_bytes(records[slice(*SPANS["batch_length"])], "big", signed=True)
    if size < LEAST_SIZE_BYTES:
        raise CorruptRecordException(f"Record size {size} is less than the minimum record overhead "
                                     f"({LEAST_SIZE_BYTES})")
    magic = records[slice(*SPANS["magic"])]
    if magic and magic[0] > MAGIC:
        raise CorruptRecordException(f"Invalid magic found in record: {magic[0]}")
    whole = records[:LOG_OVERHEAD + size]
    return whole if magic and len(whole) == LOG_OVERHEAD + size else None


def validate_records(version: int, records: bytes) -> RecordBatch:
    """The one batch that a request of this version (3 and later) may carry for a partition.

    Kafka looks at this much while it reads the request. Errors: InvalidRecordException (no batch,
    several, an old magic), CorruptRecordException (a size or magic that cannot be),
    UnsupportedCompressionTypeException (zstd before version 7).
    """
    first = _next_batch(records)
    if first is None:
        raise InvalidRecordException(f"a produce request of version {version} carries one batch "
                                     f"for each partition; {len(records)} bytes hold none")
    if (magic := first[SPANS["magic"][0]]) != MAGIC:
        raise InvalidRecordException(f"a produce request of version {version} carries batches of "
                                     f"magic {MAGIC}; this one has magic {magic}")
    batch = RecordBatch(first)
    if version < FIRST_VERSION_WITH_ZSTD and batch.header.compression_type == "zstd":
        raise UnsupportedCompressionTypeException(
            f"a produce request of version {version} cannot carry zstd; version "
            f"{FIRST_VERSION_WITH_ZSTD} is the first")
    if _next_batch(records[len(first):]) is not None:
        raise InvalidRecordException(f"a produce request of version {version} carries exactly one "
                                     f"batch for a partition; {len(records) - len(first)} bytes "
                                     f"follow the first")
    return batch


class ProduceRequest(NamedTuple):
    """`acks` is -1, 0 or 1; `timeout_ms` bounds the wait for the in-sync replicas.

    `transactional_id` is None outside transactions.
    """

    acks: int
    timeout_ms: int
    partitions: tuple[PartitionProduceData, ...]
    transactional_id: str | None = None

    def response(self, partitions: tuple[PartitionProduceResponse, ...]) -> "ProduceResponse":
        """The answer, in the order of the request."""
        return ProduceResponse(partitions)

    @property
    def size_bytes(self) -> int:
        """The records; the names and numbers around them are not counted."""
        return sum([data.records.size for data in self.partitions])

    def __str__(self) -> str:
        what = ", ".join([f"{data.records.header.records_count} for {data.partition}"
                          for data in self.partitions])
        return f"produce {what}, acks={'all' if self.acks == ALL_ISR_ACKS else self.acks}"


class ProduceResponse(NamedTuple):
    """One result for each partition of the request."""

    partitions: tuple[PartitionProduceResponse, ...]
    throttle_time_ms: int = 0

    def __str__(self) -> str:
        return ", ".join([
            f"{result.partition} offset {result.base_offset}" if result.error == "NONE"
            else f"{result.partition} {result.error}" for result in self.partitions]) \
            + throttled(self.throttle_time_ms)
