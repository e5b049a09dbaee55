"""ListOffsets (key 2): where a partition begins and ends for a reader.

A consumer without a position asks for one of the two special timestamps. A lookup by a real
timestamp needs the time index and is refused until the engine has one.
"""

from typing import NamedTuple

from kafka_internals.common import TopicPartition

LATEST_TIMESTAMP, EARLIEST_TIMESTAMP = -1, -2


class ListOffsetsPartition(NamedTuple):
    """The question for one partition: `timestamp` is -1 (latest) or -2 (earliest)."""

    partition: TopicPartition
    current_leader_epoch: int
    timestamp: int


class ListOffsetsPartitionResponse(NamedTuple):
    """The offset that was found; -1 beside an error."""

    partition: TopicPartition
    error: str = "NONE"
    offset: int = -1


class ListOffsetsRequest(NamedTuple):
    """Asked by a consumer before its first fetch of a partition."""

    partitions: tuple[ListOffsetsPartition, ...]

    def response(self, partitions: tuple[ListOffsetsPartitionResponse, ...]):
        """The answer, in the order of the request."""
        return ListOffsetsResponse(partitions)

    def __str__(self) -> str:
        word = {LATEST_TIMESTAMP: "end", EARLIEST_TIMESTAMP: "start"}
        return "list offsets: " + ", ".join(
            f"{word.get(p.timestamp, p.timestamp)} of {p.partition}" for p in self.partitions)


class ListOffsetsResponse(NamedTuple):
    """One offset for each partition of the request."""

    partitions: tuple[ListOffsetsPartitionResponse, ...]

    def __str__(self) -> str:
        return ", ".join(f"{p.partition} {p.offset if p.error == 'NONE' else p.error}"
                         for p in self.partitions)
