"""KafkaConsumerMetrics: how often an application polls, and how long `poll()` waits (KIP-517).

An idle ratio near 1 is a consumer that waits for records, near 0 one whose application is slow.
"""

from kafka_internals.clients.metrics import Metrics, Sensor

GROUP = "consumer-metrics"

SENSORS = {
    "time-between-poll": Sensor(GROUP, (("time-between-poll-avg", "avg"),
                                        ("time-between-poll-max", "max"))),
    "poll-idle-ratio": Sensor(GROUP, (("poll-idle-ratio-avg", "avg"),))}


class KafkaConsumerMetrics:
    """The times between polls, and in them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._last_poll_ms: int | None = None
        self._since_last_ms = 0

    def record_poll_start(self, now_ms: int) -> None:
        """A `poll()` begins."""
        last_ms = self._last_poll_ms
        self._since_last_ms = 0 if last_ms is None else now_ms - last_ms
        self._metrics["time-between-poll"].record(self._since_last_ms, now_ms)
        self._last_poll_ms = now_ms

    def record_poll_end(self, now_ms: int) -> None:
        """It returns or raises. Where no time has passed at all there is no ratio."""
        took_ms = now_ms - self._last_poll_ms
        if took_ms + self._since_last_ms:
            ratio = took_ms / (took_ms + self._since_last_ms)
            self._metrics["poll-idle-ratio"].record(ratio, now_ms)

    def gauges(self, now_ms: int) -> dict[str, int]:
        """What is known at this moment; -1 before the first poll."""
        last_ms = self._last_poll_ms
        return {"last-poll-seconds-ago": -1 if last_ms is None else (now_ms - last_ms) // 1000}
