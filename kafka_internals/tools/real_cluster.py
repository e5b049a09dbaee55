"""The lab's measurement against a real cluster, for who has one: with confluent-kafka, if it is
installed. Nothing else needs either.

The client is librdkafka's, so its settings have Kafka's names and its batches are its own.
"""

import time
from typing import Any

TOPIC, RECORDS, RECORD_BYTES, RATE = "kafka-internals-tuning", 2_000, 1_000, 2_000
LOOK_S, FLUSH_S = 3, 30
ABSENT = ("This part measures a real cluster: give measure_real() its address, such as "
          "\"localhost:9092\". Everything else in this notebook works without one.")
NOT_INSTALLED = ("measure_real() needs confluent-kafka, which is not installed: "
                 "pip install confluent-kafka. Everything else works without it.")


class Real:
    """What came of it, as a sentence. `took_ms`: of each record, from produce() to its answer."""

    def __init__(self, sentence: str, took_ms: tuple[float, ...] = ()) -> None:
        self.sentence, self.took_ms = sentence, took_ms

    def __repr__(self) -> str:
        return self.sentence


def measure_real(address: str | None = None, topic: str = TOPIC, records: int = RECORDS,
                 records_per_s: int = RATE, **configs: Any) -> Real:
    """Send records of 1,000 bytes at a steady rate to a topic that exists, and time the answers.

    `configs` as in the lab, `_` for `.`. Whatever is missing comes back as a sentence, not as an
    error: an address, the library, a broker that answers, the topic.
    """
    if not address:
        return Real(ABSENT)
    try:
        import confluent_kafka as kafka
    except ImportError:
        return Real(NOT_INSTALLED)
    named = {name.replace("_", "."): value for name, value in configs.items()}
    try:
        producer = kafka.Producer({"bootstrap.servers": address, **named}, logger=_quiet())
        known = producer.list_topics(timeout=LOOK_S).topics
    except kafka.KafkaException as error:
        return Real(f"{address} was not measured: {_said(error)}.")
    if topic not in known:
        return Real(f"{address} has no topic {topic!r}, and this does not create any: "
                    f"kafka-topics.sh --bootstrap-server {address} --create --topic {topic}")
    return _measured(producer, address, topic, records, records_per_s)


def _quiet() -> Any:
    """librdkafka writes to stderr what is already in the sentence."""
    import logging

    logger = logging.getLogger("kafka_internals.real_cluster")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


def _said(error: Exception) -> str:
    inner = error.args[0] if error.args else error
    return inner.str() if hasattr(inner, "str") else str(inner)


def _measured(producer: Any, address: str, topic: str, records: int, records_per_s: int) -> Real:
    took_ms, failed, value, began = [], [], b"x" * RECORD_BYTES, time.perf_counter()
    for number in range(records):
        while (left := began + number / records_per_s - time.perf_counter()) > 0:
            producer.poll(left)

        def answered(error: Any, _: Any, since: float = time.perf_counter()) -> None:
            if error is None:
                took_ms.append((time.perf_counter() - since) * 1000)
            else:
                failed.append(error)
        producer.produce(topic, value, on_delivery=answered)
    producer.flush(FLUSH_S)
    lost = records - len(took_ms)
    if not took_ms:
        why = f": {failed[0].str()}" if failed else f" within {FLUSH_S} s"
        return Real(f"{address} acknowledged none of {records:,} records{why}.")
    took_ms.sort()
    return Real(f"{address}: {records:,} records at {records_per_s:,} a second, mean "
                f"{sum(took_ms) / len(took_ms):.1f} ms, 99 of 100 within "
                f"{took_ms[len(took_ms) * 99 // 100 - 1]:.1f} ms"
                + f"; {lost:,} were not acknowledged" * bool(lost) + ".", tuple(took_ms))
