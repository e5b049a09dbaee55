"""FetchMetricsManager and FetchMetricsAggregator: how fast a consumer reads, and how far behind.

A fetch counts when everything that it brought was given out or passed over. Lag is counted from the
position, not from what was committed; lead is how far the position is from being deleted (KIP-223).
"""

from collections.abc import Iterable

from kafka_internals.clients.metrics import Metrics, Sensor
from kafka_internals.common import TopicPartition

GROUP = "consumer-fetch-manager-metrics"
PARTITION = ("topic", "partition")
BYTES = (("fetch-size-avg", "avg"), ("fetch-size-max", "max"), ("bytes-consumed-rate", "rate"),
         ("bytes-consumed-total", "total"))
RECORDS = (("records-per-request-avg", "avg"), ("records-consumed-rate", "rate"),
           ("records-consumed-total", "total"))

# fmt: off
SENSORS = {
    "bytes-fetched":         Sensor(GROUP, BYTES),
    "records-fetched":       Sensor(GROUP, RECORDS),
    "topic.bytes-fetched":   Sensor(GROUP, BYTES, ("topic",)),
    "topic.records-fetched": Sensor(GROUP, RECORDS, ("topic",)),
    "fetch-latency": Sensor(GROUP, (("fetch-latency-avg", "avg"), ("fetch-latency-max", "max"),
                                    ("fetch-rate", "event_rate"), ("fetch-total", "count"))),
    "throttle-time": Sensor(GROUP, (("fetch-throttle-time-avg", "avg"),
                                    ("fetch-throttle-time-max", "max"))),
    "records-lag":   Sensor(GROUP, (("records-lag-max", "max"),)),
    "records-lead":  Sensor(GROUP, (("records-lead-min", "min"),)),
    "partition.records-lag":  Sensor(GROUP, (("records-lag", "last"), ("records-lag-avg", "avg"),
                                             ("records-lag-max", "max")), PARTITION),
    "partition.records-lead": Sensor(GROUP, (("records-lead", "last"), ("records-lead-avg", "avg"),
                                             ("records-lead-min", "min")), PARTITION),
}
# fmt: on


class FetchMetricsManager:
    """What fetching tells the consumer's metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._assigned: tuple[TopicPartition, ...] = ()

    def record_latency(self, broker: int, latency_ms: int, now_ms: int) -> None:
        """A fetch was answered after so long."""
        self._metrics["fetch-latency"].record(latency_ms, now_ms)
        self._metrics["node.latency", f"node-{broker}"].record(latency_ms, now_ms)

    def record_fetch(self, by_topic: dict[str, tuple[int, int]], now_ms: int) -> None:
        """All that a fetch brought is gone: (bytes, records) by topic."""
        metrics = self._metrics
        metrics["bytes-fetched"].record(sum(size for size, _ in by_topic.values()), now_ms)
        metrics["records-fetched"].record(sum(count for _, count in by_topic.values()), now_ms)
        for topic, (size, count) in by_topic.items():
            metrics["topic.bytes-fetched", topic].record(size, now_ms)
            metrics["topic.records-fetched", topic].record(count, now_ms)

    def record_partition(self, name: TopicPartition, lag: int | None, lead: int | None,
                         now_ms: int) -> None:
        """Records of a partition were given: how far it is from either end."""
        for sensor, value in (("records-lag", lag), ("records-lead", lead)):
            if value is not None:
                self._metrics[sensor].record(value, now_ms)
                self._metrics[f"partition.{sensor}", *_of(name)].record(value, now_ms)

    def retain(self, assigned: Iterable[TopicPartition]) -> None:
        """Partitions that are not assigned any more have no lag."""
        for name in self._assigned:
            if name not in assigned:
                self._metrics.pop(("partition.records-lag", *_of(name)), None)
                self._metrics.pop(("partition.records-lead", *_of(name)), None)
        self._assigned = tuple(assigned)


def _of(name: TopicPartition) -> tuple[str, str]:
    return name.topic, str(name.partition)


class FetchMetricsAggregator:
    """Waits until every partition of one answer is done with, then records them as one fetch."""

    def __init__(self, manager: FetchMetricsManager, partitions: list[TopicPartition]) -> None:
        self._manager, self._open = manager, dict.fromkeys(partitions)
        self._by_topic: dict[str, tuple[int, int]] = {}

    def record(self, name: TopicPartition, size: int, count: int, now_ms: int) -> None:
        """One partition is done with."""
        if name not in self._open:
            return
        del self._open[name]
        before = self._by_topic.get(name.topic, (0, 0))
        self._by_topic[name.topic] = before[0] + size, before[1] + count
        if not self._open:
            self._manager.record_fetch(self._by_topic, now_ms)
