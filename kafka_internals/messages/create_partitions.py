"""CreatePartitions (key 37): more partitions for topics that exist (KIP-195)."""

from typing import NamedTuple


class CreatePartitionsTopic(NamedTuple):
    """`count` is the new total; `assignments`, by hand, are the brokers of each added one."""

    name: str
    count: int
    assignments: tuple[tuple[int, ...], ...] | None = None


class CreatePartitionsTopicResult(NamedTuple):
    """What came of one topic."""

    name: str
    error: str = "NONE"
    error_message: str | None = None


class CreatePartitionsRequest(NamedTuple):
    """With `validate_only` nothing is created."""

    topics: tuple[CreatePartitionsTopic, ...]
    timeout_ms: int = 60_000
    validate_only: bool = False

    def response(self, results: tuple[CreatePartitionsTopicResult, ...]):
        """The answer, in the order of the request."""
        return CreatePartitionsResponse(results)

    def error_response(self, error: str, message: str) -> "CreatePartitionsResponse":
        """The answer where all of it is refused."""
        return self.response(tuple(CreatePartitionsTopicResult(topic.name, error, message)
                                   for topic in self.topics))

    def __str__(self) -> str:
        return ", ".join(f"{topic.count} partitions for {topic.name}" for topic in self.topics)


class CreatePartitionsResponse(NamedTuple):
    """One result for each topic of the request."""

    results: tuple[CreatePartitionsTopicResult, ...]

    def __str__(self) -> str:
        return ", ".join(f"{one.name} {'done' if one.error == 'NONE' else one.error}"
                         for one in self.results)
