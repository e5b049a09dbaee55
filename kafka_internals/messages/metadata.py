"""Metadata (key 3): which brokers there are, and who leads which partition.

Every client asks this before anything else, and again when it finds that its answer was old.
"""

from typing import NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.messages import throttled


class PartitionMetadata(NamedTuple):
    """One partition as the answering broker knows it; `leader` is -1 where there is none."""

    partition: TopicPartition
    leader: int
    leader_epoch: int
    error: str = "NONE"


class MetadataRequest(NamedTuple):
    """The topics a client is interested in, by name."""

    topics: tuple[str, ...]

    def response(self, brokers: tuple[int, ...], partitions: tuple[PartitionMetadata, ...],
                 unknown: tuple[str, ...]) -> "MetadataResponse":
        """The answer; `unknown` topics get UNKNOWN_TOPIC_OR_PARTITION."""
        return MetadataResponse(brokers, partitions, unknown)

    def __str__(self) -> str:
        return f"metadata of {', '.join(self.topics)}"


class MetadataResponse(NamedTuple):
    """Broker ids, partitions of the topics that exist, and the names of those that do not."""

    brokers: tuple[int, ...]
    partitions: tuple[PartitionMetadata, ...]
    unknown_topics: tuple[str, ...] = ()
    throttle_time_ms: int = 0

    def __str__(self) -> str:
        told = [f"{p.partition} led by {p.leader}" if p.leader >= 0 else f"{p.partition} {p.error}"
                for p in self.partitions]
        told += [f"{t} UNKNOWN_TOPIC_OR_PARTITION" for t in self.unknown_topics]
        return ", ".join(told) + throttled(self.throttle_time_ms)
