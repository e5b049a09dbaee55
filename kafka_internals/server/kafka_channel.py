"""KafkaChannel: one connection as its network thread sees it, and when it is not read.

A channel is muted from the moment a request was read off it until its answer is out and any
throttling is over. So one request of a connection is under way at a time: what a client pipelines
waits in the socket, and answers keep the order of the requests (KIP-219 for the throttled states).
"""

from collections import deque
from typing import Any, NamedTuple

MUTE, UNMUTE = "mute", "unmute"
REQUEST_RECEIVED, RESPONSE_SENT = "REQUEST_RECEIVED", "RESPONSE_SENT"
THROTTLE_STARTED, THROTTLE_ENDED = "THROTTLE_STARTED", "THROTTLE_ENDED"
NOT_MUTED, MUTED = "NOT_MUTED", "MUTED"
RESPONSE_PENDING, THROTTLED = "MUTED_AND_RESPONSE_PENDING", "MUTED_AND_THROTTLED"
THROTTLED_AND_PENDING = "MUTED_AND_THROTTLED_AND_RESPONSE_PENDING"

# fmt: off
TRANSITIONS = {                                                     # an absent pair is a bug
    (NOT_MUTED,             MUTE):             MUTED,               # the selector reads no more
    (MUTED,                 REQUEST_RECEIVED): RESPONSE_PENDING,
    (RESPONSE_PENDING,      THROTTLE_STARTED): THROTTLED_AND_PENDING,
    (RESPONSE_PENDING,      RESPONSE_SENT):    MUTED,
    (THROTTLED_AND_PENDING, RESPONSE_SENT):    THROTTLED,
    (THROTTLED_AND_PENDING, THROTTLE_ENDED):   RESPONSE_PENDING,
    (THROTTLED,             THROTTLE_ENDED):   MUTED,
    (MUTED,                 UNMUTE):           NOT_MUTED,           # and only from here
}
# fmt: on


class ChannelSnapshot(NamedTuple):
    """One connection: `unread` are the requests in its socket, oldest first.

    `request` is the one under way; `throttled_until_us` is None where nothing is throttled.
    """

    connection: str
    client: str
    state: str
    request: str | None
    unread: tuple[str, ...]
    throttled_until_us: int | None


class KafkaChannel:
    """One connection. `selected`: its network thread has a request of it to read."""

    __slots__ = ("connection", "processor", "state", "unread", "selected", "current", "after",
                 "throttled_until_us", "handshake_due")

    def __init__(self, connection: Any, processor: Any) -> None:
        self.connection, self.processor = connection, processor
        self.state = NOT_MUTED
        self.unread: deque = deque()
        self.selected, self.handshake_due = False, True
        self.current: Any = None              # the request that was read last
        self.after: str | None = None         # the last one here that had to wait for its answer
        self.throttled_until_us: int | None = None

    def take(self, event: str) -> None:
        """Move along the table."""
        self.state = TRANSITIONS[self.state, event]

    def maybe_unmute(self) -> bool:
        """Let it be read again, if nothing is against that any more."""
        if self.state != MUTED:
            return False
        self.state = TRANSITIONS[MUTED, UNMUTE]
        return True

    def snapshot(self) -> ChannelSnapshot:
        """Frozen."""
        current = None if self.current is None else self.current.request.id
        return ChannelSnapshot(self.connection.id, self.connection.client.name, self.state,
                               current, tuple(token.request.id for token in self.unread),
                               self.throttled_until_us)
