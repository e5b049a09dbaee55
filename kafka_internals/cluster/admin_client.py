"""AdminClient: an operator's client as a node of the world. It asks the controller.

As one with `bootstrap.controllers` (KIP-919). A request that is not answered in
`request.timeout.ms`, or whose connection is lost, is sent again after a back-off that doubles
(KIP-580), until `default.api.timeout.ms` is over (KafkaAdminClient).
"""

from itertools import count
from typing import Any

from kafka_internals.common import START_MS, Changed
from kafka_internals.errors import TimeoutException
from kafka_internals.messages import Request
from kafka_internals.sim.world import DISCONNECTED, REQUEST, RESPONSE, TICK, Node, World

REQUEST_TIMEOUT_MS, API_TIMEOUT_MS = 30_000, 60_000
RETRY_BACKOFF_MS, RETRY_BACKOFF_MAX_MS = 100, 1_000
CLIENT = "client"


class Call:
    """A question; `due_us` is when to send it again, or to give up waiting for an answer."""

    __slots__ = ("body", "rule", "end_us", "due_us", "request", "in_flight", "tries")

    def __init__(self, body: Any, rule: str, now_us: int) -> None:
        self.body, self.rule, self.end_us = body, rule, now_us + API_TIMEOUT_MS * 1000
        self.due_us, self.request, self.in_flight, self.tries = now_us, None, False, 0

    def timed_out(self, now_us: int) -> TimeoutException:
        """In Kafka's words, and what may have happened."""
        now_ms, end_ms = (START_MS + at_us // 1000 for at_us in (now_us, self.end_us))
        return TimeoutException(
            f"Call(callName={self.rule.removeprefix('Admin.')}, deadlineMs={end_ms}, "
            f"tries={self.tries}, nextAllowedTryMs={START_MS + self.due_us // 1000}) timed out at "
            f"{now_ms} after {self.tries} attempt(s) [{self.request} was not answered: can the "
            f"admin client reach the controller?]")


class AdminClient(Node):
    """`answers` are bodies, or a TimeoutException, by call; a call is its first request's id."""

    def __init__(self, world: World, controller: Node) -> None:
        super().__init__(world, "admin")
        self._controller, self._ids = controller, count(1)
        self._jitter = world.draw(self.name, "retry backoff")
        self.handlers = {RESPONSE: self._on_response, DISCONNECTED: self._on_disconnected,
                         TICK: self._on_tick}
        self.answers: dict[str, Any] = {}
        self._calls: dict[str, Call] = {}

    def ask(self, body: Any, rule: str) -> str:
        """Begin a call, "Admin.createTopics" by rule: its first request leaves now."""
        call = Call(body, rule, self.world.now_us)
        self._send(call, ())
        self._calls[call.request] = call
        self._rest()
        return call.request

    def _connection(self) -> Any:
        return self.world.network.connect(self, self._controller, CLIENT)

    def _send(self, call: Call, reads: tuple) -> None:
        world = self.world
        request = Request.of(self.name, next(self._ids), call.body)
        if world.trace is not None:
            world.trace.changed(world.event, Changed(request.id, "asked", None, str(call.body),
                                                     call.rule, reads))
        call.request, call.in_flight = request.id, True
        call.due_us = world.now_us + REQUEST_TIMEOUT_MS * 1000
        world.network.send(self._connection(), self._controller, REQUEST, request)

    def _on_response(self, payload: tuple) -> None:
        for id, call in list(self._calls.items()):
            if call.request == payload[1].request_id and call.in_flight:
                self.answers[id] = payload[1].body
                del self._calls[id]
        self._rest()

    def _on_disconnected(self, payload: tuple) -> None:
        payload[0].open = False
        self._fail([call for call in self._calls.values() if call.in_flight])
        self._rest()

    def _fail(self, calls: list[Call]) -> None:
        for call in calls:
            wait_ms = min(RETRY_BACKOFF_MS << call.tries, RETRY_BACKOFF_MAX_MS)
            call.due_us = self.world.now_us + wait_ms * (800 + self._jitter(401))
            call.in_flight, call.tries = False, call.tries + 1

    def _on_tick(self, _: int) -> None:
        now_us = self.world.now_us
        late = [one for one in self._calls.values()
                if one.in_flight and min(one.due_us, one.end_us) <= now_us]
        if late:                                         # nobody else has this connection
            self.world.network.close(self._connection(), self)
            self._fail([one for one in self._calls.values() if one.in_flight])
        for id, call in list(self._calls.items()):
            if call.end_us <= now_us:
                self.answers[id] = call.timed_out(now_us)
                del self._calls[id]
            elif not call.in_flight and call.due_us <= now_us:
                self._send(call, ((call.request, "asked"),))
        self._rest()

    def _rest(self) -> None:
        self.wake_at(min((min(call.end_us, call.due_us) for call in self._calls.values()),
                         default=None))

    def snapshot(self) -> None:
        """It has nothing that could be asked about: its questions have."""
        return None
