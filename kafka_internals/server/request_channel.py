"""RequestChannel: one network thread, one request queue, one handler thread.

Kafka's SocketServer and KafkaRequestHandler. From the moment a request is taken off a connection
until its answer has left, that connection is muted: answers keep the order of the requests, and a
client cannot flood a broker from one connection. The network thread sends answers before it
receives more. How many threads there are grows with the module about the broker.
"""

from collections import deque
from typing import Any, NamedTuple


class RequestChannelSnapshot(NamedTuple):
    """How many requests wait where."""

    in_sockets: int
    queued: int
    responses: int
    network_busy: bool
    handler_busy: bool


class RequestChannel:
    """Which thread takes which task next. Tokens are (connection, message) pairs."""

    def __init__(self) -> None:
        self._sockets: dict[str, deque] = {}       # unread requests of a muted connection
        self._muted: set[str] = set()
        self._readable: deque = deque()
        self._responses: deque = deque()
        self._requests: deque = deque()
        self.network_busy = self.handler_busy = False

    def arrived(self, connection: Any, request: Any) -> None:
        """A request is in the socket of its connection."""
        if connection.id in self._muted:
            self._sockets.setdefault(connection.id, deque()).append((connection, request))
        else:
            self._muted.add(connection.id)
            self._readable.append((connection, request))

    def responded(self, connection: Any, response: Any) -> None:
        """An answer (None: none is sent) is ready for the network thread."""
        self._responses.append((connection, response))

    def next_for_network(self) -> tuple[str, tuple] | None:
        """The network thread's next task: an answer to send, else a request to receive."""
        if self._responses:
            return "send", self._responses.popleft()
        if self._readable:
            return "receive", self._readable.popleft()
        return None

    def received(self, token: tuple) -> None:
        """The network thread has read a whole request: it joins the request queue."""
        self._requests.append(token)

    def sent(self, connection: Any) -> None:
        """The answer has left: the connection may be read again."""
        waiting = self._sockets.get(connection.id)
        if waiting:
            self._readable.append(waiting.popleft())
        else:
            self._muted.discard(connection.id)

    def next_for_handler(self) -> tuple | None:
        """The handler thread's next request."""
        return self._requests.popleft() if self._requests else None

    def snapshot(self) -> RequestChannelSnapshot:
        """Frozen."""
        unread = sum(len(waiting) for waiting in self._sockets.values())
        return RequestChannelSnapshot(unread + len(self._readable), len(self._requests),
                                      len(self._responses), self.network_busy, self.handler_busy)
