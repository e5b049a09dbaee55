"""OffsetForLeaderEpoch (key 23): where did this leader epoch end in your log (KIP-101, KIP-279)?

A consumer whose leader has changed asks whether its position is still in the log (KIP-320); a
follower asked before it truncated, until fetches told as much (KIP-595). The answer names the
highest epoch that is not above the one asked for: without it a follower cannot know whether it has
records of that epoch itself, which was the hole that KIP-279 closed.
"""

from typing import NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.messages import throttled

CONSUMER = -1


class OffsetForLeaderPartition(NamedTuple):
    """The question for one partition, and the leader epoch that the asker believes in."""

    partition: TopicPartition
    current_leader_epoch: int
    leader_epoch: int


class OffsetForLeaderPartitionResponse(NamedTuple):
    """The highest epoch that is not above the one asked for, and where it ends; -1 unknown."""

    partition: TopicPartition
    error: str = "NONE"
    leader_epoch: int = -1
    end_offset: int = -1


class OffsetForLeaderEpochRequest(NamedTuple):
    """`replica_id` is a follower's broker id, -1 for a consumer."""

    replica_id: int
    partitions: tuple[OffsetForLeaderPartition, ...]

    def response(self, partitions: tuple[OffsetForLeaderPartitionResponse, ...]
                 ) -> "OffsetForLeaderEpochResponse":
        """The answer, in the order of the request."""
        return OffsetForLeaderEpochResponse(partitions)

    def __str__(self) -> str:
        return "end of leader epoch: " + ", ".join(f"{one.leader_epoch} of {one.partition}"
                                                   for one in self.partitions)


class OffsetForLeaderEpochResponse(NamedTuple):
    """One end for each partition of the request."""

    partitions: tuple[OffsetForLeaderPartitionResponse, ...]
    throttle_time_ms: int = 0

    def __str__(self) -> str:
        return ", ".join(
            f"{one.partition} {one.error}" if one.error != "NONE" else
            f"{one.partition} epoch {one.leader_epoch} ends at {one.end_offset}"
            for one in self.partitions) + throttled(self.throttle_time_ms)
