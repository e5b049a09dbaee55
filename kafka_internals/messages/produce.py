"""Produce (key 0): a producer gives a leader one batch for each partition.

Sent by the producer's sender thread; acks 0 wants no answer, 1 the leader's, -1 that of the whole
in-sync replica set, within `timeout_ms`. KIP-951 lets the answer name the leader.
"""

from typing import NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.record_batch import RecordBatch

NO_ACK, LEADER_ACK, ALL_ISR_ACKS = 0, 1, -1


class PartitionProduceData(NamedTuple):
    """One batch for one partition."""

    partition: TopicPartition
    records: RecordBatch


class PartitionProduceResponse(NamedTuple):
    """What became of one batch: `error` is Kafka's name, "NONE" where it is in the log."""

    partition: TopicPartition
    error: str = "NONE"
    base_offset: int = -1
    log_append_time_ms: int = -1
    log_start_offset: int = -1
    message: str | None = None


class ProduceRequest(NamedTuple):
    """`acks` is -1, 0 or 1; `timeout_ms` bounds the wait for the in-sync replicas."""

    acks: int
    timeout_ms: int
    partitions: tuple[PartitionProduceData, ...]

    def response(self, partitions: tuple[PartitionProduceResponse, ...]) -> "ProduceResponse":
        """The answer, in the order of the request."""
        return ProduceResponse(partitions)

    def __str__(self) -> str:
        what = ", ".join(f"{data.records.header.records_count} for {data.partition}"
                         for data in self.partitions)
        return f"produce {what}, acks={'all' if self.acks == ALL_ISR_ACKS else self.acks}"


class ProduceResponse(NamedTuple):
    """One result for each partition of the request."""

    partitions: tuple[PartitionProduceResponse, ...]

    def __str__(self) -> str:
        return ", ".join(
            f"{result.partition} offset {result.base_offset}" if result.error == "NONE"
            else f"{result.partition} {result.error}" for result in self.partitions)
