"""CreateTopics (key 19): new topics, placed by the controller or by hand (KIP-4)."""

from typing import NamedTuple

from kafka_internals.common import ZERO_UUID


class CreatableTopic(NamedTuple):
    """A topic that is asked for; -1 leaves a number to the controller's default.

    `assignments` are (partition, brokers) by hand; then both numbers are -1. `configs` are
    (name, text).
    """

    name: str
    num_partitions: int = -1
    replication_factor: int = -1
    assignments: tuple[tuple[int, tuple[int, ...]], ...] = ()
    configs: tuple[tuple[str, str | None], ...] = ()


class CreatableTopicResult(NamedTuple):
    """What came of one topic."""

    name: str
    error: str = "NONE"
    error_message: str | None = None
    topic_id: str = ZERO_UUID
    num_partitions: int = -1
    replication_factor: int = -1


class CreateTopicsRequest(NamedTuple):
    """With `validate_only` nothing is created."""

    topics: tuple[CreatableTopic, ...]
    timeout_ms: int = 60_000
    validate_only: bool = False

    def response(self, topics: tuple[CreatableTopicResult, ...]) -> "CreateTopicsResponse":
        """The answer, in the order of the request."""
        return CreateTopicsResponse(topics)

    def error_response(self, error: str, message: str) -> "CreateTopicsResponse":
        """The answer where all of it is refused."""
        return self.response(tuple(CreatableTopicResult(topic.name, error, message)
                                   for topic in self.topics))

    def __str__(self) -> str:
        return "create " + ", ".join(topic.name for topic in self.topics)


class CreateTopicsResponse(NamedTuple):
    """One result for each topic of the request."""

    topics: tuple[CreatableTopicResult, ...]

    def __str__(self) -> str:
        return ", ".join(f"{one.name} created" if one.error == "NONE" else
                         f"{one.name} {one.error}" for one in self.topics)
