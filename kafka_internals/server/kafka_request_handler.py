"""KafkaRequestHandlerPool: `num.io.threads` threads that handle requests, and the log locks.

A handler takes the oldest request, validates and appends, or reads, and is free again: whatever has
to wait for other brokers waits in a purgatory, without a thread. What a handler may wait for is the
lock of a partition's log: two produce requests for one partition append one after the other, in the
order in which they took the lock, whichever thread has them.
"""

from collections import deque
from heapq import heappop, heappush
from typing import NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.messages.produce import ProduceRequest
from kafka_internals.server.request_channel import ChannelRequest


class HandlerSnapshot(NamedTuple):
    """One handler. `state`: "idle", "running", "waits for log lock of orders-0".

    `since_us`: when it took `request`; `until_us`: when it is done, None while it waits.
    """

    number: int
    state: str
    request: str | None
    since_us: int | None
    until_us: int | None


class LogLock:
    """The lock of one partition's log: who has it, until when, and who waits for it in turn."""

    __slots__ = ("owner", "held_until_us", "waiting")

    def __init__(self) -> None:
        self.owner: ChannelRequest | None = None
        self.held_until_us = 0
        self.waiting: deque[ChannelRequest] = deque()


class KafkaRequestHandlerPool:
    """Which handler has which request, and which log locks are held."""

    def __init__(self, size: int) -> None:
        self.handlers: list[ChannelRequest | None] = [None] * size
        self.names = tuple(f"handler {n}" for n in range(size))
        self.idle = list(range(size))                  # a heap: the first idle one takes the next
        self.locks: dict[TopicPartition, LogLock] = {}
        self.last_freed: ChannelRequest | None = None
        self.busy_us = 0

    @property
    def is_busy(self) -> bool:
        """True while a handler has a request."""
        return len(self.idle) < len(self.handlers)

    def take(self, token: ChannelRequest) -> str:
        """An idle handler takes a request; its name."""
        token.handler = number = heappop(self.idle)
        self.handlers[number] = token
        return self.names[number]

    def free(self, token: ChannelRequest, now_us: int) -> None:
        """The handler of a request is idle again."""
        self.handlers[token.handler], self.last_freed = None, token
        self.busy_us += now_us - token.dequeue_us
        heappush(self.idle, token.handler)

    def in_the_way(self, token: ChannelRequest, now_us: int,
                   granted: TopicPartition | None = None) -> TopicPartition | None:
        """The first partition whose log lock is held, or wanted by others before this request."""
        if type(token.request.body) is ProduceRequest:
            for partition, _ in token.request.body.partitions:
                lock = self.locks.get(partition)
                if lock is not None and (lock.held_until_us > now_us
                                         or lock.waiting and partition != granted):
                    return partition
        return None

    def wait(self, token: ChannelRequest, partition: TopicPartition) -> int | None:
        """Queue up for a lock; when it is free, where nobody else waits for that already."""
        lock = self.locks[partition]
        token.lock = partition
        token.behind = lock.waiting[-1] if lock.waiting else lock.owner
        lock.waiting.append(token)
        return lock.held_until_us if len(lock.waiting) == 1 else None

    def hold(self, token: ChannelRequest, until_us: int) -> None:
        """The request has appended: its partitions' locks are held until then."""
        for partition, _ in token.request.body.partitions:
            lock = self.locks.get(partition)
            if lock is None:
                lock = self.locks[partition] = LogLock()
            lock.owner, lock.held_until_us = token, until_us

    def released(self, partition: TopicPartition, now_us: int) -> ChannelRequest | None:
        """The next request that may have the lock, if it is free."""
        lock = self.locks[partition]
        if not lock.waiting or lock.held_until_us > now_us:
            return None
        token = lock.waiting.popleft()
        token.lock = None
        return token

    def snapshot(self) -> tuple[HandlerSnapshot, ...]:
        """Every handler, frozen."""
        return tuple(self._one(number, token) for number, token in enumerate(self.handlers))

    @staticmethod
    def _one(number: int, token: ChannelRequest | None) -> HandlerSnapshot:
        if token is None:
            return HandlerSnapshot(number, "idle", None, None, None)
        state = "running" if token.lock is None else f"waits for log lock of {token.lock}"
        return HandlerSnapshot(number, state, token.request.id, token.dequeue_us, token.until_us)

    def avg_idle_percent(self, now_us: int, since_us: int) -> float:
        """RequestHandlerAvgIdlePercent, 0 to 1, since the broker began."""
        if now_us == since_us:
            return 1.0
        running = sum(now_us - token.dequeue_us for token in self.handlers if token is not None)
        return 1 - (self.busy_us + running) / (len(self.handlers) * (now_us - since_us))
