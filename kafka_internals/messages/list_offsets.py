"""ListOffsets (key 2): where a partition begins and ends for a reader.

A consumer without a position asks for one of two special timestamps; a time in epoch ms asks for
the first record that is not older (KIP-79). Others came later: the record with the largest time
(KIP-734), and those about what is local or tiered (KIP-405, KIP-1005, KIP-1023).
"""

from typing import NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.messages import throttled

LATEST_TIMESTAMP, EARLIEST_TIMESTAMP, MAX_TIMESTAMP, EARLIEST_LOCAL_TIMESTAMP = -1, -2, -3, -4
LATEST_TIERED_TIMESTAMP, EARLIEST_PENDING_UPLOAD_TIMESTAMP = -5, -6


class ListOffsetsPartition(NamedTuple):
    """The question for one partition: `timestamp` in epoch ms, or a special one below 0."""

    partition: TopicPartition
    current_leader_epoch: int
    timestamp: int


class ListOffsetsPartitionResponse(NamedTuple):
    """What was found: an offset, its record's time and its leader's epoch; -1 for what is not."""

    partition: TopicPartition
    error: str = "NONE"
    offset: int = -1
    timestamp: int = -1
    leader_epoch: int = -1


class ListOffsetsRequest(NamedTuple):
    """Asked by a consumer before its first fetch, by a follower whose offset is out of range."""

    partitions: tuple[ListOffsetsPartition, ...]
    committed_only: bool = False             # isolation.level: the end is the last stable offset
    replica_id: int = -1                     # a follower is told the log's end

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
    throttle_time_ms: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{p.partition} {p.offset if p.error == 'NONE' else p.error}"
                         for p in self.partitions) + throttled(self.throttle_time_ms)
