"""The way of requests through one broker as one frozen picture, and Kafka's metrics of it.

The acceptor and its network threads, the request queue, the handlers, the purgatories and the
response queues at one instant. A request is found again everywhere by its identity.
"""

from typing import Any, NamedTuple

from kafka_internals.common import Wait
from kafka_internals.server.delayed_operation import DelayedOperationSnapshot
from kafka_internals.server.kafka_channel import NOT_MUTED
from kafka_internals.server.kafka_request_handler import HandlerSnapshot, KafkaRequestHandlerPool
from kafka_internals.server.request_channel import (
    PURGATORY,
    QUEUE,
    SOCKET,
    ChannelRequest,
    RequestChannel,
    RequestSnapshot,
)
from kafka_internals.server.request_metrics import RequestMetrics
from kafka_internals.server.socket_server import ProcessorSnapshot, SocketServer


class RequestPathSnapshot(NamedTuple):
    """Everything that is between the sockets of a broker, at `now_us`.

    `accepted` connections so far: the next one goes to `next_processor`. `queue` holds request
    identities, the oldest first, at most `queue_capacity`. `requests` is every request that is in
    the broker, in the order of arrival. `gauges` are (name, value) with the names of Kafka's
    metrics.
    """

    broker: int
    now_us: int
    accepted: int
    next_processor: int
    processors: tuple[ProcessorSnapshot, ...]
    queue: tuple[str, ...]
    queue_capacity: int
    handlers: tuple[HandlerSnapshot, ...]
    purgatory: tuple[DelayedOperationSnapshot, ...]
    requests: tuple[RequestSnapshot, ...]
    gauges: tuple[tuple[str, float], ...]


class RequestPath:
    """Sockets, queue and handlers of one life of a broker, and every request in them."""

    def __init__(self, broker: int, config: Any, now_us: int) -> None:
        self.broker, self.since_us = broker, now_us
        self.sockets = SocketServer(config["num.network.threads"])
        self.channel = RequestChannel(config["queued.max.requests"])
        self.pool = KafkaRequestHandlerPool(config["num.io.threads"])
        self.metrics = RequestMetrics()
        self.requests: dict[str, ChannelRequest] = {}

    def finished(self, token: ChannelRequest, now_us: int) -> None:
        """A request is gone: count its times, as RequestChannel.Request does."""
        del self.requests[token.request.id]
        token.behind = None                       # or every request would hold all before it
        self.metrics.update(token.kind, (
            token.start_us, token.dequeue_us, token.local_complete_us or token.response_us,
            token.response_us, token.throttle_ms * 1000, token.response_dequeue_us, now_us))

    # -- seen from outside --------------------------------------------------------------------
    def look(self, request: str, parked: list) -> RequestSnapshot:
        """The snapshot of one request that is here."""
        return self._snapshot(self.requests[request], {one.request.id: one for one in parked})

    def _snapshot(self, token: ChannelRequest, parked: dict) -> RequestSnapshot:
        request = token.request
        seen = RequestSnapshot(
            request.id, token.kind, self.broker, token.channel.connection.id, token.station,
            token.since_us, token.until_us, str(request.body),
            None if token.body is None else str(token.body), self._waits(token, parked))
        if seen != token.seen:
            token.seen = seen
        return token.seen                         # shared by all pictures in which it is the same

    def _waits(self, token: ChannelRequest, parked: dict) -> tuple[Wait, ...]:
        """What keeps a request where it is."""
        channel, broker = token.channel, f"broker-{self.broker}"
        if token.station == QUEUE:
            return (Wait("station", broker, "idle handler", 1),)
        if token is channel.processor.blocked:
            return (Wait("station", broker, "room", self.channel.capacity),)
        if token.station == channel.processor.queue_name:
            return (Wait("station", broker, "network thread", channel.processor.number),)
        if token.station == PURGATORY and (operation := parked.get(token.request.id)):
            return tuple(wait._replace(attribute="station") for wait in operation.waits())
        if token.lock is not None:
            return (Wait("station", token.behind.request.id, "log lock", str(token.lock)),)
        if token.station == SOCKET and channel.throttled_until_us is not None:
            return (Wait("station", channel.connection.client.name, "throttle", None,
                         -(-channel.throttled_until_us // 1000)),)
        if token.station == SOCKET and channel.state != NOT_MUTED:
            return (Wait("station", channel.current.request.id, "answer", None),)
        if token.station == SOCKET:
            return (Wait("station", broker, "network thread", channel.processor.number),)
        return ()

    def gauges(self, parked: list, now_us: int) -> tuple[tuple[str, float], ...]:
        """What Kafka's gauges say, by their names; idle percents are 0 to 1, since it began."""
        processors, since_us = self.sockets.processors, self.since_us
        idle = [one.avg_idle_percent(now_us, since_us) for one in processors]
        return (("RequestQueueSize", len(self.channel.queue)),
                ("ResponseQueueSize", sum(len(one.responses) for one in processors)),
                *((f"ResponseQueueSize,processor={one.number}", len(one.responses))
                  for one in processors),
                ("NetworkProcessorAvgIdlePercent", sum(idle) / len(idle)),
                ("RequestHandlerAvgIdlePercent", self.pool.avg_idle_percent(now_us, since_us)),
                *((f"NumDelayedOperations,delayedOperation={name}",
                   sum(one.kind == f"Delayed{name}" for one in parked))
                  for name in ("Produce", "Fetch")))

    def snapshot(self, parked: list, now_us: int) -> RequestPathSnapshot:
        """Frozen."""
        waiting, sockets = {one.request.id: one for one in parked}, self.sockets
        return RequestPathSnapshot(
            self.broker, now_us, sockets.accepted, sockets.accepted % len(sockets.processors),
            sockets.snapshot(now_us, self.since_us),
            tuple(token.request.id for token in self.channel.queue), self.channel.capacity,
            self.pool.snapshot(), tuple(one.snapshot() for one in parked),
            tuple(self._snapshot(token, waiting) for token in self.requests.values()),
            self.gauges(parked, now_us))
