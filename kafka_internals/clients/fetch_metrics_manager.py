"""FetchMetricsManager and FetchMetricsAggregator: how fast a consumer reads, and how far behind.

Names and groups are the Java client's (FetchMetricsRegistry). A fetch counts when everything that
it brought was given out or passed over. Lag is counted from the position, not from what was
committed; lead is how far the position is from being deleted (KIP-223).
"""

from typing import Any

from kafka_internals.clients.sampled_stat import MetricName, Metrics, SampledStat
from kafka_internals.common import TopicPartition

GROUP = "consumer-fetch-manager-metrics"


class FetchMetricsManager:
    """Keeps one stat for each thing that is measured."""

    def __init__(self, client_id: str) -> None:
        self._tags = (("client-id", client_id),)
        self._latency, self._throttle = SampledStat(), SampledStat()
        self._bytes, self._records = SampledStat(), SampledStat()
        self._by_topic: dict[str, tuple[SampledStat, SampledStat]] = {}
        self._lag: dict[TopicPartition, SampledStat] = {}
        self._lead: dict[TopicPartition, SampledStat] = {}
        self._max_lag, self._min_lead = SampledStat(), SampledStat()

    def record_answer(self, latency_ms: int, throttle_time_ms: int, now_ms: int) -> None:
        """A fetch was answered after so long."""
        self._latency.record(latency_ms, now_ms)
        self._throttle.record(throttle_time_ms, now_ms)

    def record_fetch(self, by_topic: dict[str, tuple[int, int]], now_ms: int) -> None:
        """All that a fetch brought is gone: (bytes, records) by topic."""
        self._bytes.record(sum(size for size, _ in by_topic.values()), now_ms)
        self._records.record(sum(count for _, count in by_topic.values()), now_ms)
        for topic, (size, count) in by_topic.items():
            sizes, counts = self._by_topic.setdefault(topic, (SampledStat(), SampledStat()))
            sizes.record(size, now_ms)
            counts.record(count, now_ms)

    def record_partition(self, name: TopicPartition, lag: int | None, lead: int | None,
                         now_ms: int) -> None:
        """Records of a partition were given: how far it is from either end."""
        for value, own, all_of_them in ((lag, self._lag, self._max_lag),
                                        (lead, self._lead, self._min_lead)):
            if value is not None:
                all_of_them.record(value, now_ms)
                own.setdefault(name, SampledStat()).record(value, now_ms)

    def retain(self, assigned: Any) -> None:
        """Partitions that are not assigned any more have no lag."""
        self._lag = {name: stat for name, stat in self._lag.items() if name in assigned}
        self._lead = {name: stat for name, stat in self._lead.items() if name in assigned}

    def metrics(self, now_ms: int) -> Metrics:
        """Every metric by its name, group and tags."""
        found = self._read(self._bytes, self._records, (), now_ms)
        for topic, stats in self._by_topic.items():
            found |= self._read(*stats, (("topic", topic),), now_ms)
        latency, throttle = self._latency, self._throttle
        found |= self._named((), {
            "fetch-latency-avg": latency.avg(now_ms), "fetch-latency-max": latency.max(now_ms),
            "fetch-rate": latency.event_rate(now_ms), "fetch-total": float(latency.count),
            "fetch-throttle-time-avg": throttle.avg(now_ms),
            "fetch-throttle-time-max": throttle.max(now_ms),
            "records-lag-max": self._max_lag.max(now_ms),
            "records-lead-min": self._min_lead.min(now_ms)})
        for name, stat in self._lag.items():
            found |= self._named(_of(name), {
                "records-lag": stat.last, "records-lag-avg": stat.avg(now_ms),
                "records-lag-max": stat.max(now_ms)})
        for name, stat in self._lead.items():
            found |= self._named(_of(name), {
                "records-lead": stat.last, "records-lead-avg": stat.avg(now_ms),
                "records-lead-min": stat.min(now_ms)})
        return found

    def _read(self, sizes: SampledStat, counts: SampledStat, tags: tuple, now_ms: int) -> dict:
        return self._named(tags, {
            "fetch-size-avg": sizes.avg(now_ms), "fetch-size-max": sizes.max(now_ms),
            "bytes-consumed-rate": sizes.rate(now_ms), "bytes-consumed-total": sizes.total,
            "records-per-request-avg": counts.avg(now_ms),
            "records-consumed-rate": counts.rate(now_ms), "records-consumed-total": counts.total})

    def _named(self, tags: tuple, values: dict[str, float]) -> dict[MetricName, float]:
        return {MetricName(name, GROUP, self._tags + tags): one for name, one in values.items()}


def _of(name: TopicPartition) -> tuple[tuple[str, str], ...]:
    return ("topic", name.topic), ("partition", str(name.partition))


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
