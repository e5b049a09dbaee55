"""KafkaConsumerMetrics: how often an application polls, and how long `poll()` waits (KIP-517).

An idle ratio near 1 is a consumer that waits for records, near 0 one whose application is slow.
"""

from kafka_internals.clients.sampled_stat import MetricName, Metrics, SampledStat

GROUP = "consumer-metrics"


class KafkaConsumerMetrics:
    """The times between polls, and in them."""

    def __init__(self, client_id: str) -> None:
        self._tags = (("client-id", client_id),)
        self._between, self._idle = SampledStat(), SampledStat()
        self._last_poll_ms: int | None = None
        self._since_last_ms = 0

    def record_poll_start(self, now_ms: int) -> None:
        """A `poll()` begins."""
        last_ms = self._last_poll_ms
        self._since_last_ms = 0 if last_ms is None else now_ms - last_ms
        self._between.record(self._since_last_ms, now_ms)
        self._last_poll_ms = now_ms

    def record_poll_end(self, now_ms: int) -> None:
        """It returns or raises. Where no time has passed at all there is no ratio."""
        took_ms = now_ms - self._last_poll_ms
        if took_ms + self._since_last_ms:
            self._idle.record(took_ms / (took_ms + self._since_last_ms), now_ms)

    def metrics(self, now_ms: int) -> Metrics:
        """Every metric by its name, group and tags."""
        last_ms = self._last_poll_ms
        values = {
            "last-poll-seconds-ago": -1.0 if last_ms is None else float((now_ms - last_ms) // 1000),
            "time-between-poll-avg": self._between.avg(now_ms),
            "time-between-poll-max": self._between.max(now_ms),
            "poll-idle-ratio-avg": self._idle.avg(now_ms)}
        return {MetricName(name, GROUP, self._tags): one for name, one in values.items()}
