"""SocketServer: an acceptor that hands out connections, and the network threads that own them.

Kafka calls a network thread Processor. Its loop: take over new connections, take the answers from
its response queue, poll (write those, and read one request of each connection that is not muted),
put what was read into the request queue, and in the end unmute connections whose answer is out.
There are `num.network.threads` of them; each connection stays with the one that it was given to.
"""

from collections import deque
from typing import Any, NamedTuple

from kafka_internals.server.kafka_channel import (
    MUTE,
    NOT_MUTED,
    REQUEST_RECEIVED,
    RESPONSE_SENT,
    THROTTLE_ENDED,
    THROTTLE_STARTED,
    ChannelSnapshot,
    KafkaChannel,
)
from kafka_internals.server.request_channel import (
    CLOSE_CONNECTION,
    NO_OP,
    SEND,
    START_THROTTLING,
    ChannelRequest,
)

RECEIVE = "receive"


class ProcessorSnapshot(NamedTuple):
    """One network thread. `state`: "idle", "receiving", "sending", "blocked" (the queue is full).

    `request` is what it is busy with, until `until_us`; `response_queue` holds (type, request),
    oldest first; `avg_idle_percent` is 0 to 1, since its broker began.
    """

    number: int
    state: str
    request: str | None
    until_us: int | None
    connections: tuple[ChannelSnapshot, ...]
    response_queue: tuple[tuple[str, str], ...]
    avg_idle_percent: float


class Processor:
    """One network thread: what it does next, in the order of its loop."""

    def __init__(self, number: int) -> None:
        self.number, self.name = number, f"processor {number}"
        self.queue_name = f"response queue {number}"
        self.responses: deque[tuple[str, Any]] = deque()
        self.task: tuple[str, ChannelRequest] | None = None     # what it is busy with
        self.blocked: ChannelRequest | None = None              # waits for room in the queue
        self.last: ChannelRequest | None = None                 # what it was busy with before
        self.until_us = self.busy_us = 0
        self._readable: deque[KafkaChannel] = deque()
        self._polled: deque[KafkaChannel] = deque()
        self._completed_sends: list[KafkaChannel] = []
        self._polling = False

    def arrived(self, token: ChannelRequest) -> None:
        """A request is in the socket of its connection."""
        channel = token.channel
        channel.unread.append(token)
        if channel.state is NOT_MUTED and not channel.selected:
            channel.selected = True
            self._readable.append(channel)

    def take(self) -> tuple[str, Any] | None:
        """The next thing of the loop, (what, request); None: poll() waits."""
        while True:
            if not self._polling:
                if self.responses:
                    if (task := self._response()) is not None:
                        return task
                    continue
                self._polling = True
                self._polled, self._readable = self._readable, self._polled
            if self._polled:
                return RECEIVE, self._polled.popleft().unread.popleft()
            self._polling = False
            if self._completed_sends:
                for channel in self._completed_sends:
                    channel.take(RESPONSE_SENT)
                    self._maybe_unmute(channel)
                self._completed_sends.clear()
            if not (self.responses or self._readable):
                return None

    def _response(self) -> tuple[str, Any] | None:
        """The oldest of the response queue; throttling only changes how its channel is muted."""
        kind, one = self.responses.popleft()
        if kind is SEND or kind is NO_OP or kind is CLOSE_CONNECTION:
            return kind, one
        if kind is START_THROTTLING:
            one.take(THROTTLE_STARTED)
        else:
            one.throttled_until_us = None
            one.take(THROTTLE_ENDED)
            self._maybe_unmute(one)
        return None

    def received(self, token: ChannelRequest) -> None:
        """A whole request was read: its connection is muted from now on."""
        channel = token.channel
        channel.selected, channel.current = False, token
        channel.take(MUTE)
        channel.take(REQUEST_RECEIVED)

    def sent(self, channel: KafkaChannel) -> None:
        """An answer is out; its connection is unmuted at the end of this turn of the loop."""
        self._completed_sends.append(channel)

    def not_answered(self, channel: KafkaChannel) -> None:
        """There was no answer to send (acks=0): more of this connection can be read."""
        channel.take(RESPONSE_SENT)
        self._maybe_unmute(channel)

    def _maybe_unmute(self, channel: KafkaChannel) -> None:
        if channel.maybe_unmute():
            channel.current = None
            if channel.unread:
                channel.selected = True
                self._readable.append(channel)

    @property
    def state(self) -> str:
        """What the thread does."""
        if self.task is None:
            return "idle" if self.blocked is None else "blocked"
        return "receiving" if self.task[0] is RECEIVE else "sending"

    def snapshot(self, connections: tuple, now_us: int, since_us: int) -> ProcessorSnapshot:
        """Frozen."""
        token = self.blocked if self.task is None else self.task[1]
        return ProcessorSnapshot(
            self.number, self.state, None if token is None else token.request.id,
            self.until_us if self.task else None,
            connections,
            tuple((kind, one.connection.id if isinstance(one, KafkaChannel) else one.request.id)
                  for kind, one in self.responses),
            self.avg_idle_percent(now_us, since_us))

    def avg_idle_percent(self, now_us: int, since_us: int) -> float:
        """How much of the time since its broker began poll() has waited, 0 to 1."""
        busy_us = self.busy_us - (max(0, self.until_us - now_us) if self.task else 0)
        return 1.0 if now_us == since_us else 1 - busy_us / (now_us - since_us)


class SocketServer:
    """The acceptor and its network threads."""

    def __init__(self, network_threads: int) -> None:
        self.processors = tuple(Processor(n) for n in range(network_threads))
        self.channels: dict[str, KafkaChannel] = {}
        self.accepted = 0

    def accept(self, connection: Any) -> KafkaChannel:
        """Acceptor: give a new connection to the next network thread, in turn."""
        processor = self.processors[self.accepted % len(self.processors)]
        self.accepted += 1
        self._forget_disconnected()
        channel = self.channels[connection.id] = KafkaChannel(connection, processor)
        return channel

    def _forget_disconnected(self) -> None:
        """Connections that are closed and of which nothing is under way."""
        for name, channel in list(self.channels.items()):
            if not channel.connection.open and channel.state is NOT_MUTED and not channel.selected:
                del self.channels[name]

    def snapshot(self, now_us: int, since_us: int) -> tuple[ProcessorSnapshot, ...]:
        """Every network thread, frozen."""
        owned: dict[int, list] = {processor.number: [] for processor in self.processors}
        for channel in self.channels.values():
            if channel.connection.open:
                owned[channel.processor.number].append(channel.snapshot())
        return tuple(processor.snapshot(tuple(owned[processor.number]), now_us, since_us)
                     for processor in self.processors)
