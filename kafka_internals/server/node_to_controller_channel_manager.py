"""NodeToControllerChannelManager: how a broker asks the controller: one request after the other.

What is not answered is sent again, with the same content, to whoever is the controller by then:
when the connection is lost, when the one that was asked is not the controller, and when an answer
is late, for which the connection is closed (NodeToControllerRequestThread). Some channels give a
request up when it is `retry_timeout_ms` old.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from kafka_internals.common import Changed, Disconnect, Send
from kafka_internals.messages import Request, Response

SOCKET_TIMEOUT_MS = 30_000              # controller.socket.timeout.ms
RECONNECT_BACKOFF_MS, NO_CONTROLLER_MS = 50, 100


class NodeToControllerQueueItem(NamedTuple):
    """A request that is to be answered; `rule` and `reads` say why it is asked."""

    created_ms: int
    body: Any
    rule: str
    reads: tuple


class NodeToControllerChannelManager:
    """`controller()` is the node to ask, None while nobody knows one.

    `due_ms` is when `tick` has something to do: to send, to give up waiting, or to give it up.
    """

    def __init__(self, client_id: str, controller: Callable[[], int | None],
                 next_correlation_id: Callable[[], int],
                 retry_timeout_ms: int | None = None) -> None:
        self._client_id, self._controller = client_id, controller
        self._next_correlation_id, self._retry_timeout_ms = next_correlation_id, retry_timeout_ms
        self._timeout_ms = min(SOCKET_TIMEOUT_MS, retry_timeout_ms or SOCKET_TIMEOUT_MS)
        self._item: NodeToControllerQueueItem | None = None
        self._to, self.due_ms = -1, None
        self.in_flight: Request | None = None

    @property
    def is_free(self) -> bool:
        """True where nothing is to be answered."""
        return self._item is None

    def send_request(self, body: Any, rule: str, reads: tuple, now_ms: int) -> list:
        """Ask; only on a channel that is free."""
        self._item = NodeToControllerQueueItem(now_ms, body, rule, reads)
        return self._send(now_ms)

    def _send(self, now_ms: int) -> list:
        if (controller := self._controller()) is None:
            self._wait(now_ms + NO_CONTROLLER_MS)
            return []
        self._to, item = controller, self._item
        request = self.in_flight = Request.of(self._client_id, self._next_correlation_id(),
                                              item.body)
        self.due_ms = now_ms + self._timeout_ms
        return [Changed(request.id, "asked", None, str(item.body), item.rule, item.reads),
                Send(controller, request)]

    def _wait(self, until_ms: int) -> None:
        """Nothing is in flight: ask then, unless the request is too old before that."""
        self.due_ms = int(min(until_ms, self._gives_up_ms()))

    def handle(self, response: Response, now_ms: int) -> Request | None:
        """The request that this answers; None for one that is asked again, or was given up."""
        request = self.in_flight
        if request is None or response.request_id != request.id:
            return None
        if response.body.error == "NOT_CONTROLLER":
            self.disconnected(now_ms)
            return None
        self.in_flight = self._item = self.due_ms = None
        return request

    def disconnected(self, now_ms: int) -> None:
        """The connection is lost, and with it what was in flight."""
        if self.in_flight is not None:
            self.in_flight = None
            self._wait(now_ms + RECONNECT_BACKOFF_MS)

    def tick(self, now_ms: int) -> list:
        """Send what is due, close a connection whose answer is late, give up what is too old."""
        effects: list = []
        if self.in_flight is not None and now_ms >= self.due_ms:
            effects = [Disconnect(self._to, type(self.in_flight.body))]
            self.disconnected(now_ms)
        if self.in_flight is None and self._item is not None:
            if now_ms >= self._gives_up_ms():
                self._item = self.due_ms = None
            elif now_ms >= self.due_ms:
                effects += self._send(now_ms)
        return effects

    def _gives_up_ms(self) -> float:
        return self._item.created_ms + (self._retry_timeout_ms or float("inf"))
