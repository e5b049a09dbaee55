"""RequestMetrics: where the time of requests went, under the names of Kafka's metrics.

One line for each request that was answered: the queue, the handler ("local"), the purgatory
("remote"), the response queue and the sending. They add up to TotalTimeMs. ThrottleTimeMs is not a
part of it: the answer leaves at once, and the connection is not read for that long (KIP-219).
As Kafka's histograms do, this one keeps the last 1,028 of each kind; it sums up when asked.
"""

from collections import deque
from typing import NamedTuple

TIMES = ("RequestQueueTimeMs", "LocalTimeMs", "RemoteTimeMs", "ThrottleTimeMs",
         "ResponseQueueTimeMs", "ResponseSendTimeMs", "TotalTimeMs")
RESERVOIR = 1028


class Histogram(NamedTuple):
    """Milliseconds: over `Count` requests, the mean, the percentiles and the ends."""

    Count: int
    Mean: float
    Min: float
    Median: float
    P99: float
    Max: float


class RequestMetrics:
    """The times of every kind of request, e.g. "Produce", "FetchConsumer", "FetchFollower"."""

    def __init__(self) -> None:
        self._moments: dict[str, deque[tuple[int, ...]]] = {}
        self.counts: dict[str, int] = {}

    def update(self, kind: str, moments_us: tuple[int, ...]) -> None:
        """One answered request: when it was read, dequeued, handled and answered, for how long it
        was throttled, when its answer was dequeued and when it had left."""
        if kind not in self.counts:
            self._moments[kind], self.counts[kind] = deque(maxlen=RESERVOIR), 0
        self._moments[kind].append(moments_us)
        self.counts[kind] += 1

    def snapshot(self) -> tuple[tuple[str, Histogram], ...]:
        """Kafka's names, like "TotalTimeMs,request=Produce", each with its histogram."""
        return tuple((f"{name},request={kind}", _histogram(self.counts[kind], column))
                     for kind, moments in self._moments.items()
                     for name, column in zip(TIMES, zip(*map(_times_us, moments))))


def _times_us(moments_us: tuple[int, ...]) -> tuple[int, ...]:
    start, dequeue, local, response, throttled, response_dequeue, end = moments_us
    return (dequeue - start, local - dequeue, response - local, throttled,
            response_dequeue - response, end - response_dequeue, end - start)


def _histogram(count: int, times_us: tuple[int, ...]) -> Histogram:
    row, last = sorted(times_us), len(times_us) - 1
    mean, *rest = (sum(row) / len(row), row[0], row[last // 2], row[-(-last * 99 // 100)], row[-1])
    return Histogram(count, mean / 1000, *(one / 1000 for one in rest))
