"""Fetch (key 1): a follower or a consumer asks a leader for records from an offset on.

A follower's fetch offset is at the same time its report: it has everything below. `replica_id` is
the follower's broker id, -1 for a consumer. Sessions (KIP-227) and diverging epochs (KIP-595) are
not part of this engine yet: each fetch names its partitions in full.
"""

from typing import Any, NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.messages import throttled

CONSUMER = -1


class FetchPartition(NamedTuple):
    """From where one partition is read, and the leader epoch that the asker believes in."""

    partition: TopicPartition
    fetch_offset: int
    current_leader_epoch: int
    partition_max_bytes: int
    log_start_offset: int = -1


class PartitionData(NamedTuple):
    """What one partition gave: `records` are whole stored batches, back to back.

    `source` is where they lie (LogOffsetMetadata): the network thread sends them from there.
    """

    partition: TopicPartition
    error: str = "NONE"
    high_watermark: int = -1
    log_start_offset: int = -1
    records: bytes = b""
    source: Any = None


class FetchRequest(NamedTuple):
    """Waits up to `max_wait_ms` for `min_bytes`; answers with at most about `max_bytes`."""

    replica_id: int
    max_wait_ms: int
    min_bytes: int
    max_bytes: int
    partitions: tuple[FetchPartition, ...]

    def response(self, partitions: tuple[PartitionData, ...]) -> "FetchResponse":
        """The answer, in the order of the request."""
        return FetchResponse(partitions)

    def is_enough(self, size: int) -> bool:
        """True where `size` bytes are worth an answer now; more than `max_bytes` nobody awaits."""
        return size >= min(self.min_bytes, self.max_bytes)

    def __str__(self) -> str:
        return "fetch " + ", ".join(f"{p.partition} at {p.fetch_offset}" for p in self.partitions)


class FetchResponse(NamedTuple):
    """One answer for each partition of the request."""

    partitions: tuple[PartitionData, ...]
    throttle_time_ms: int = 0

    @property
    def size_bytes(self) -> int:
        """The records; the names and numbers around them are not counted."""
        return sum(len(data.records) for data in self.partitions)

    def __str__(self) -> str:
        told = (f"{data.partition} {data.error}" if data.error != "NONE" else
                f"{data.partition} {len(data.records)} bytes, HW {data.high_watermark}"
                for data in self.partitions)
        return (", ".join(told) or "nothing") + throttled(self.throttle_time_ms)
