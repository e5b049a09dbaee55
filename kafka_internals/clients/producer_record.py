"""ProducerRecord and its receipt: one record from `send()` to an answer (FutureRecordMetadata).

Records of one partition are answered in the order in which they joined it, so the callbacks of one
partition run in send order.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from kafka_internals.common import Changed, TopicPartition, Wait
from kafka_internals.errors import name_of
from kafka_internals.memory_records_builder import size_upper_bound

RECEIPT_RULE = "a record is answered with its batch"


class ReceiptSnapshot(NamedTuple):
    """One record, and its way from "waiting" to "acknowledged" or "failed".

    `called_ms` is when its `send()` began to block; None where it did not, or has not yet.
    """

    state: str
    partition: TopicPartition | None
    offset: int | None
    error: str | None
    called_ms: int | None
    batch: str | None
    waits: tuple[Wait, ...]
    topic: str
    key: bytes | None
    value: bytes | None


class ProducerRecord:
    """One record and what became of it. `state`: "waiting", "acknowledged" or "failed".

    `on_end` hears of its end, in the order in which records end. `upper_bound_bytes`: what a batch
    of this one record has at most.
    """

    __slots__ = ("subject", "topic", "key", "value", "headers", "partition", "timestamp_ms",
                 "called_ms", "state", "placed", "offset", "error", "batch", "allocation",
                 "upper_bound_bytes", "_on_end")

    def __init__(self, subject: str, topic: str, key: bytes | None, value: bytes | None,
                 headers: tuple, partition: int | None, timestamp_ms: int | None,
                 on_end: Callable[["ProducerRecord"], None]) -> None:
        self.subject, self.topic, self.key, self.value = subject, topic, key, value
        self.headers, self.partition, self.timestamp_ms = headers, partition, timestamp_ms
        self.upper_bound_bytes = size_upper_bound(key, value, headers)
        self.called_ms: int | None = None          # when its send() began to block
        self.state = "waiting"
        self.placed: TopicPartition | None = None
        self.offset: int | None = None
        self.error: Exception | None = None
        self.batch: Any = None
        self.allocation: Any = None                # the memory that it waits for, or has got
        self._on_end = on_end

    def acknowledged(self, offset: int, reads: tuple) -> list[Changed]:
        """It is in the log; an offset of -1 is not known."""
        self.offset = offset
        return self._ended("acknowledged", "offset", offset, reads)

    def failed(self, error: Exception, reads: tuple = ()) -> list[Changed]:
        """It will not be sent again."""
        self.error = error
        return self._ended("failed", "error", name_of(error), reads)

    def _ended(self, state: str, attribute: str, value: Any, reads: tuple) -> list[Changed]:
        self.state = state
        self._on_end(self)
        return [Changed(self.subject, "state", "waiting", state, RECEIPT_RULE, reads),
                Changed(self.subject, attribute, None, value, RECEIPT_RULE, reads)]

    def snapshot(self, waits: tuple[Wait, ...]) -> ReceiptSnapshot:
        """Frozen."""
        return ReceiptSnapshot(self.state, self.placed, self.offset,
                               self.error and name_of(self.error), self.called_ms,
                               self.batch and self.batch.id, waits, self.topic, self.key,
                               self.value)
