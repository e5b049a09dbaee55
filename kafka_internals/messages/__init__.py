"""Requests and responses, one file for each protocol. A request makes its own response.

In this engine a message travels as an object; the records in it are real bytes. Every request has
an identity that stays the same in each fork of a run: its client id and its correlation id, which
counts per client id, as the request header of Kafka's protocol has them.
"""

from typing import Any, NamedTuple


class Request(NamedTuple):
    """A request as it is on the way. `id` is "request-<client.id>.<correlation id>".

    `reads` is what whoever handles this has read: the question, and that it was its turn.
    `thread_us`: what a handler takes for it, where somebody has a quota for that.
    """

    id: str
    client_id: str
    correlation_id: int
    body: Any
    reads: tuple
    thread_us: int = 0

    @classmethod
    def of(cls, client_id: str, correlation_id: int, body: Any) -> "Request":
        """Give a body its header."""
        id = f"request-{client_id}.{correlation_id}"
        return cls(id, client_id, correlation_id, body, ((id, "asked"),))

    def behind(self, after: str) -> "Request":
        """The same, once it is known for whose answer its connection was muted until now."""
        return Request(*self[:4], (*self.reads, (after, "answer")))

    def answered(self, body: Any) -> "Response":
        """The response to this request; it keeps the correlation id."""
        return Response(f"response{self.id[7:]}", self.id, self.correlation_id, body)


class Response(NamedTuple):
    """A response as it is on the way; `request_id` is what it answers."""

    id: str
    request_id: str
    correlation_id: int
    body: Any


class LeaderIdAndEpoch(NamedTuple):
    """Who leads now, for an asker who was wrong about it (KIP-951)."""

    leader_id: int
    leader_epoch: int


def throttled(throttle_time_ms: int) -> str:
    """How an answer in words ends where its client is over a quota."""
    return f", throttled {throttle_time_ms} ms" if throttle_time_ms else ""
