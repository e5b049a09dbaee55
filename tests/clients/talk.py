"""A client core and its other side: whatever the core sends has to be taken, or the test fails."""

from collections import deque

from kafka_internals.common import Changed, Disconnect, Send, TopicPartition
from kafka_internals.messages.metadata import MetadataRequest, MetadataResponse, PartitionMetadata

BROKERS = (1, 2, 3)


def no_luck(purpose: str):
    """Dice that fall in the middle, so that back-offs are exact; of equal brokers the first."""
    return lambda n: 0 if purpose == "least loaded node" else n // 2


def tp(number: int) -> TopicPartition:
    return TopicPartition("orders", number)


class Talk:
    """Moves time from deadline to deadline, and keeps what was sent until it is taken."""

    def __init__(self, core) -> None:
        self.core, self.now_ms = core, 0
        self.sent: deque[Send] = deque()
        self.closed: list[int] = []
        self.changes: list[Changed] = []

    def do(self, effects: list) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self.sent.append(effect)
            elif isinstance(effect, Disconnect):
                self.closed.append(effect.to)
            else:
                assert isinstance(effect, Changed), f"unexpected: {effect}"
                self.changes.append(effect)

    def call(self, name: str, *args) -> None:
        self.do(getattr(self.core, name)(*args, self.now_ms))

    def at(self, now_ms: int) -> "Talk":
        """Let every deadline up to this time pass."""
        while (due_ms := self.core.next_deadline_ms(self.now_ms)) is not None and due_ms <= now_ms:
            assert due_ms > self.now_ms, "a deadline that does not move is a busy loop"
            self.now_ms = due_ms
            self.call("tick")
        self.now_ms = now_ms
        return self

    def take(self) -> Send:
        """The oldest request that nobody has looked at."""
        assert self.sent, f"nothing was sent by {self.now_ms} ms"
        return self.sent.popleft()

    def take_all(self) -> list[str]:
        """What was sent, as "broker: request"."""
        taken = [f"{send.to}: {send.request.body}" for send in self.sent]
        self.sent.clear()
        return taken

    def answer(self, send: Send, body) -> None:
        self.do(self.core.handle(send.to, send.request.answered(body), self.now_ms))

    def answer_metadata(self, *leaders: int) -> None:
        """Answer the request for metadata: orders-n is led by leaders[n]; none: no such topic."""
        send = self.take()
        assert isinstance(send.request.body, MetadataRequest), send
        known = tuple(PartitionMetadata(tp(number), leader, 0,
                                        "NONE" if leader >= 0 else "LEADER_NOT_AVAILABLE")
                      for number, leader in enumerate(leaders))
        self.answer(send, MetadataResponse(BROKERS, known, () if leaders else ("orders",)))

    def disconnect(self, broker: int) -> None:
        self.call("disconnected", broker)

    def metrics(self) -> dict:
        """By name, or by name and tags: ("records-lag", "orders", "0")."""
        return {(key.name, *(one for _, one in key.tags[1:])) if key.tags[1:] else key.name: value
                for key, value in self.core.metrics(self.now_ms).items()}

    def values(self, attribute: str) -> list:
        """Every new value of an attribute, whoever has it."""
        return [change.new for change in self.changes if change.attribute == attribute]
