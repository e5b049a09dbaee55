"""DeleteTopics (key 20): topics are deleted by name or by id (KIP-516)."""

from typing import NamedTuple

from kafka_internals.common import ZERO_UUID


class DeleteTopicState(NamedTuple):
    """One topic, by its name, or with a name of None by its id."""

    name: str | None
    topic_id: str = ZERO_UUID


class DeletableTopicResult(NamedTuple):
    """What came of one topic."""

    name: str | None
    topic_id: str = ZERO_UUID
    error: str = "NONE"
    error_message: str | None = None


class DeleteTopicsRequest(NamedTuple):
    """Topics to be deleted, with everything in them."""

    topics: tuple[DeleteTopicState, ...]
    timeout_ms: int = 60_000

    def response(self, responses: tuple[DeletableTopicResult, ...]) -> "DeleteTopicsResponse":
        """The answer, in the order of the request."""
        return DeleteTopicsResponse(responses)

    def error_response(self, error: str, message: str) -> "DeleteTopicsResponse":
        """The answer where all of it is refused."""
        return self.response(tuple(DeletableTopicResult(*topic, error, message)
                                   for topic in self.topics))

    def __str__(self) -> str:
        return "delete " + ", ".join(topic.name or topic.topic_id for topic in self.topics)


class DeleteTopicsResponse(NamedTuple):
    """One result for each topic of the request."""

    responses: tuple[DeletableTopicResult, ...]

    def __str__(self) -> str:
        return ", ".join(f"{one.name or one.topic_id} "
                         f"{'deleted' if one.error == 'NONE' else one.error}"
                         for one in self.responses)
