"""RequestChannel: the one queue between network threads and request handlers.

Every network thread puts what it has read at its end, every handler takes from its front, and it
holds `queued.max.requests`. Where it is full, a network thread that has one more request stands
still, and with it every connection that it owns: nothing is dropped, and the order is kept. Since a
connection has one request under way at a time, it takes more connections than that to fill it.
"""

from collections import deque
from typing import Any, NamedTuple

from kafka_internals.common import Wait
from kafka_internals.server.kafka_channel import KafkaChannel

SEND, NO_OP, CLOSE_CONNECTION = "Send", "NoOp", "CloseConnection"
START_THROTTLING, END_THROTTLING = "StartThrottling", "EndThrottling"
SOCKET, QUEUE, PURGATORY = "socket", "request queue", "purgatory"


class RequestSnapshot(NamedTuple):
    """One request inside a broker; its subject is its identity.

    `station`: "socket", "processor 1" (being read), "processor 1, blocked" (the queue is full),
    "request queue", "handler 3", "handler 3, waits for log lock of orders-0", "purgatory",
    "response queue 1", "processor 1" (being written), and in the end, when it is gone from here,
    "sent", "no response" (acks=0) or "closed". `since_us`: when it came there; `until_us`: when the
    thread that has it is done, None where that is not known. `asked` and `answer` in words.
    """

    request: str
    kind: str
    broker: int
    connection: str
    station: str
    since_us: int
    until_us: int | None
    asked: str
    answer: str | None
    waits: tuple[Wait, ...]


class ChannelRequest:
    """RequestChannel.Request: a request on its way through the broker, and when it was where.

    `behind`: the request that had what this one waited for. Times are Kafka's: `start_us` when it
    was read, `dequeue_us` when a handler took it, and so on.
    """

    station: str | None = None
    since_us = local_complete_us = throttle_ms = 0
    until_us: int | None = None
    start_us = dequeue_us = response_us = response_dequeue_us = 0
    handler = lock = body = seen = None
    parked = keeps_handler = False

    def __init__(self, request: Any, kind: str, channel: KafkaChannel) -> None:
        self.request, self.kind, self.channel = request, kind, channel
        self.behind: ChannelRequest | None = channel.current


class RequestChannel:
    """The queue, and the network threads that wait for room in it, each with its request."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.queue: deque[ChannelRequest] = deque()
        self.blocked: deque = deque()

    def send_request(self, token: ChannelRequest, processor: Any) -> bool:
        """Put a request at the end. False where there is no room: the network thread waits."""
        if len(self.queue) < self.capacity:
            self.queue.append(token)
            return True
        processor.blocked = token
        self.blocked.append(processor)
        return False

    def receive_request(self) -> ChannelRequest:
        """The front of the queue, for a handler."""
        return self.queue.popleft()

    def unblocked(self) -> Any:
        """The network thread that has waited longest, if there is room now."""
        if self.blocked and len(self.queue) < self.capacity:
            return self.blocked.popleft()
        return None

