"""SenderMetricsRegistry: the metrics of a producer."""

from collections.abc import Iterable
from typing import Any

from kafka_internals.clients.metrics import Metrics, Sensor

GROUP = "producer-metrics"

# fmt: off
SENSORS = {
    "batch-size":       Sensor(GROUP, (("batch-size-avg", "avg"), ("batch-size-max", "max"))),
    "compression-rate": Sensor(GROUP, (("compression-rate-avg", "avg"),)),
    "queue-time":       Sensor(GROUP, (("record-queue-time-avg", "avg"),
                                       ("record-queue-time-max", "max"))),
    "request-time":     Sensor(GROUP, (("request-latency-avg", "avg"),
                                       ("request-latency-max", "max"))),
    "throttle-time":    Sensor(GROUP, (("produce-throttle-time-avg", "avg"),
                                       ("produce-throttle-time-max", "max"))),
    "records-per-request": Sensor(GROUP, (("record-send-rate", "rate"),
                                          ("record-send-total", "total"),
                                          ("records-per-request-avg", "avg"))),
    "record-retries":   Sensor(GROUP, (("record-retry-rate", "rate"),
                                       ("record-retry-total", "total"))),
    "errors":           Sensor(GROUP, (("record-error-rate", "rate"),
                                       ("record-error-total", "total"))),
    "record-size":      Sensor(GROUP, (("record-size-max", "max"), ("record-size-avg", "avg"))),
    "batch-split-rate": Sensor(GROUP, (("batch-split-rate", "rate"),
                                       ("batch-split-total", "total"))),
    "bufferpool-wait-time": Sensor(GROUP, (("bufferpool-wait-time-ns-total", "total"),
                                           ("bufferpool-wait-ratio", "share"))),
    "buffer-exhausted-records": Sensor(GROUP, (("buffer-exhausted-rate", "rate"),
                                               ("buffer-exhausted-total", "total"))),
}
# fmt: on


def record_sent(metrics: Metrics, batches: Iterable[Any], now_ms: int) -> None:
    """One request left with these batches."""
    records = 0
    for batch in batches:
        metrics["batch-size"].record(batch.size_bytes, now_ms)
        metrics["queue-time"].record(batch.drained_ms - batch.created_ms, now_ms)
        metrics["compression-rate"].record(batch.compression_ratio, now_ms)
        metrics["record-size"].record(batch.max_record_bytes, now_ms)
        records += len(batch.records)
    metrics["records-per-request"].record(records, now_ms)
