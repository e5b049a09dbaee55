"""SenderMetricsRegistry: a producer's metrics under the names that Kafka's Java client gives them.

Noting a number costs one addition; nothing is worked out before somebody looks.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from kafka_internals.clients.sampled_stat import SampledStat


class Metric(NamedTuple):
    """One number under Kafka's name; None where nothing was noted yet (Kafka: NaN)."""

    name: str
    value: float | None


# A sensor's metrics: the name, and what of the sensor it shows.
# fmt: off
METRICS = {
    "batch-size":          (("batch-size-avg", "avg"), ("batch-size-max", "max")),
    "compression-rate":    (("compression-rate-avg", "avg"),),
    "queue-time":          (("record-queue-time-avg", "avg"), ("record-queue-time-max", "max")),
    "request-time":        (("request-latency-avg", "avg"), ("request-latency-max", "max")),
    "produce-throttle-time": (("produce-throttle-time-avg", "avg"),
                              ("produce-throttle-time-max", "max")),
    "records-per-request": (("record-send-rate", "rate"), ("record-send-total", "total"),
                            ("records-per-request-avg", "avg")),
    "record-retries":      (("record-retry-rate", "rate"), ("record-retry-total", "total")),
    "errors":              (("record-error-rate", "rate"), ("record-error-total", "total")),
    "record-size":         (("record-size-max", "max"), ("record-size-avg", "avg")),
    "batch-split-rate":    (("batch-split-rate", "rate"), ("batch-split-total", "total")),
    "bufferpool-wait-time": (("bufferpool-wait-time-ns-total", "total"),),
    "buffer-exhausted-records": (("buffer-exhausted-rate", "rate"),
                                 ("buffer-exhausted-total", "total")),
}
# fmt: on


class SenderMetricsRegistry:
    """The sensors of one producer."""

    def __init__(self) -> None:
        self.sensors = {name: SampledStat() for name in METRICS}

    def _note(self, sensor: str, value: float, now_ms: int) -> None:
        self.sensors[sensor].record(value, now_ms)

    def sent(self, batches: Iterable[Any], now_ms: int) -> None:
        """One request left with these batches."""
        records = 0
        for batch in batches:
            self._note("batch-size", batch.size_bytes, now_ms)
            self._note("queue-time", batch.drained_ms - batch.created_ms, now_ms)
            self._note("compression-rate", batch.compression_ratio, now_ms)
            self._note("record-size", batch.max_record_bytes, now_ms)
            records += len(batch.records)
        self._note("records-per-request", records, now_ms)

    def answered(self, latency_ms: int, now_ms: int, throttle_ms: int = 0) -> None:
        """A request was answered; the broker asked for a pause of `throttle_ms`."""
        self._note("request-time", latency_ms, now_ms)
        self._note("produce-throttle-time", throttle_ms, now_ms)

    def retried(self, records: int, now_ms: int) -> None:
        """Records go back."""
        self._note("record-retries", records, now_ms)

    def failed(self, records: int, now_ms: int) -> None:
        """Records were given up."""
        self._note("errors", records, now_ms)

    def split(self, now_ms: int) -> None:
        """A batch was too large."""
        self._note("batch-split-rate", 1, now_ms)

    def waited(self, blocked_ms: int, now_ms: int, in_vain: bool) -> None:
        """An application waited for memory."""
        self._note("bufferpool-wait-time", blocked_ms * 1_000_000, now_ms)
        if in_vain:
            self._note("buffer-exhausted-records", 1, now_ms)

    def snapshot(self, now_ms: int, gauges: Iterable[tuple[str, float]]) -> tuple[Metric, ...]:
        """Every metric, by name; `gauges` are what others know at this moment."""
        found = [Metric(name, float(value)) for name, value in gauges]
        for sensor, shown in METRICS.items():
            one = self.sensors[sensor]
            found += [Metric(name, one.total if kind == "total" else
                             _or_none(getattr(one, kind)(now_ms))) for name, kind in shown]
        wait = self.sensors["bufferpool-wait-time"].rate(now_ms)
        found.append(Metric("bufferpool-wait-ratio", wait / 1_000_000_000))
        return tuple(sorted(found))


def _or_none(value: float) -> float | None:
    return None if value != value else value
