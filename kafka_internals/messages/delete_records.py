"""DeleteRecords (key 21): let a partition begin later than it does (KIP-107).

The leader moves the log's start at once, at most to the high watermark; it answers when the logs of
all replicas whose brokers are alive begin there, or when the time is over.
"""

from typing import NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.messages import throttled

HIGH_WATERMARK = -1


class DeleteRecordsPartition(NamedTuple):
    """Everything below `offset` may go; -1: everything that is committed."""

    partition: TopicPartition
    offset: int = HIGH_WATERMARK


class DeleteRecordsPartitionResult(NamedTuple):
    """Where the log begins on every living replica; -1 unknown."""

    partition: TopicPartition
    error: str = "NONE"
    low_watermark: int = -1


class DeleteRecordsRequest(NamedTuple):
    """Waits up to `timeout_ms` for the replicas."""

    partitions: tuple[DeleteRecordsPartition, ...]
    timeout_ms: int

    def response(self, partitions: tuple[DeleteRecordsPartitionResult, ...]
                 ) -> "DeleteRecordsResponse":
        """The answer, in the order of the request."""
        return DeleteRecordsResponse(partitions)

    def __str__(self) -> str:
        return "delete records: " + ", ".join(
            f"{one.partition} below {'the high watermark' if one.offset < 0 else one.offset}"
            for one in self.partitions)


class DeleteRecordsResponse(NamedTuple):
    """One result for each partition of the request."""

    partitions: tuple[DeleteRecordsPartitionResult, ...]
    throttle_time_ms: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{one.partition} begins at {one.low_watermark}" if one.error == "NONE"
                         else f"{one.partition} {one.error}" for one in self.partitions) \
            + throttled(self.throttle_time_ms)
