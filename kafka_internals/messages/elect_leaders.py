"""ElectLeaders (key 43): elections that a person asks for (KIP-183, KIP-460)."""

from typing import NamedTuple

from kafka_internals.common import TopicPartition

PREFERRED, UNCLEAN = 0, 1                        # ElectionType


class PartitionResult(NamedTuple):
    """What came of one election."""

    partition: TopicPartition
    error: str = "NONE"
    error_message: str | None = None


class ElectLeadersRequest(NamedTuple):
    """`topic_partitions` of None are all that need it."""

    election_type: int
    topic_partitions: tuple[TopicPartition, ...] | None
    timeout_ms: int = 60_000

    def response(self, results: tuple[PartitionResult, ...]) -> "ElectLeadersResponse":
        """The answer; where all were meant, without those that needed no election."""
        return ElectLeadersResponse("NONE", results)

    def error_response(self, error: str, message: str) -> "ElectLeadersResponse":
        """The answer where all of it is refused."""
        return ElectLeadersResponse(error, tuple(
            PartitionResult(one, error, message) for one in self.topic_partitions or ()))

    def __str__(self) -> str:
        who = "all partitions" if self.topic_partitions is None else \
            ", ".join(map(str, self.topic_partitions))
        return f"elect {'preferred' if self.election_type == PREFERRED else 'any'} leaders of {who}"


class ElectLeadersResponse(NamedTuple):
    """`error` is one about the whole request."""

    error: str
    results: tuple[PartitionResult, ...] = ()

    def __str__(self) -> str:
        if self.error != "NONE":
            return self.error
        return ", ".join(f"{one.partition} {'elected' if one.error == 'NONE' else one.error}"
                         for one in self.results) or "nothing to elect"
