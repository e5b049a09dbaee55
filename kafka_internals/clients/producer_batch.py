"""ProducerBatch: a batch on its way from its first record to its last answer.

It is "open" while records may join it, "full" once none may, then "in flight", and in "back-off"
after an error that a retry may mend. It is "given up" when `delivery.timeout.ms` ended its flight:
nobody waits for its answer, but its memory is still being read. `id` is the partition and how many
batches it has had, "orders-0/3".
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from kafka_internals.common import Changed, TopicPartition
from kafka_internals.memory_records_builder import MemoryRecordsBuilder
from kafka_internals.messages.init_producer_id import NO_PRODUCER, ProducerIdAndEpoch
from kafka_internals.record_batch import (
    RECORD_BATCH_OVERHEAD,
    RecordBatch,
    increment_sequence,
)


class BatchSnapshot(NamedTuple):
    """One batch that is not answered yet: `size_bytes` of the `limit_bytes` that it may have.

    `buffer_bytes` of `buffer.memory` are its own, 0 where it was split off another one.

    `leaves_ms` is when it may leave although it is not full: the end of its lingering or of its
    back-off; None while it is in flight. `base_sequence` and `producer_epoch` are -1 before it
    leaves and for a producer that is not idempotent; `request` carried it last.
    """

    id: str
    partition: TopicPartition
    state: str
    records: int
    size_bytes: int
    limit_bytes: int
    buffer_bytes: int
    created_ms: int
    leaves_ms: int | None
    attempts: int
    producer_epoch: int
    base_sequence: int
    request: str | None


class ProducerBatch:
    """`buffer_bytes` is what it holds of the pool, 0 for one that was split off another."""

    __slots__ = ("id", "partition", "builder", "records", "created_ms", "attempts", "tried_ms",
                 "drained_ms", "backoff_ms", "data", "buffer_bytes", "is_split", "state", "request",
                 "producer", "base_sequence", "sequence_was_reset", "done", "max_record_bytes",
                 "leader_epoch", "attempts_at_leader_change")

    def __init__(self, id: str, partition: TopicPartition, builder: MemoryRecordsBuilder,
                 now_ms: int, buffer_bytes: int = 0, is_split: bool = False) -> None:
        self.id, self.partition, self.builder = id, partition, builder
        self.created_ms = self.tried_ms = self.drained_ms = now_ms
        self.buffer_bytes, self.is_split, self.state = buffer_bytes, is_split, "open"
        self.records: list[Any] = []
        self.attempts = self.backoff_ms = self.max_record_bytes = 0
        self.data: RecordBatch | None = None             # the encoded batch, once it has left
        self.request: str | None = None
        self.producer, self.base_sequence = NO_PRODUCER, -1
        self.sequence_was_reset = self.done = False
        self.leader_epoch, self.attempts_at_leader_change = -1, -1

    # -- filling ------------------------------------------------------------------------------
    @property
    def is_full(self) -> bool:
        """True where nothing may join it any more."""
        return self.builder.is_full

    @property
    def size_bytes(self) -> int:
        """Bytes of the batch: exact once it is encoded, and before where nothing is compressed."""
        return self.builder.estimated_size_bytes if self.data is None else self.data.size

    @property
    def compression_ratio(self) -> float:
        """Compressed by uncompressed bytes of its records, once it is encoded."""
        return (self.size_bytes - RECORD_BATCH_OVERHEAD) / self.builder.uncompressed_bytes

    def try_append(self, record: Any) -> int | None:
        """Let a record join and give the bytes by which the batch grew; None where it is full."""
        content = record.key, record.value, record.headers
        if not self.builder.has_room_for(*content, timestamp=record.timestamp_ms):
            return None
        before = self.builder.estimated_size_bytes if self.records else 0
        self.builder.append(record.timestamp_ms, *content)
        self.records.append(record)
        record.batch = self
        self.max_record_bytes = max(self.max_record_bytes, record.upper_bound_bytes)
        return self.builder.estimated_size_bytes - before

    def close(self) -> RecordBatch:
        """Encode it, if that is not done yet: from now on it is what a broker will get."""
        if self.data is None:
            self.builder.close_for_appends()
            state = {} if self.base_sequence < 0 else {
                **self.producer._asdict(), "base_sequence": self.base_sequence}
            self.data = RecordBatch(self.builder.build(**state))
        return self.data

    # -- leaving and coming back --------------------------------------------------------------
    def waits_until_ms(self, linger_ms: int) -> int:
        """When it may leave although it is not full."""
        return self.tried_ms + self.backoff_ms if self.attempts else self.created_ms + linger_ms

    def backs_off(self, now_ms: int) -> bool:
        """True while it has to wait after an error; a new leader ends that (KIP-951)."""
        return self.attempts > 0 and now_ms < self.tried_ms + self.backoff_ms \
            and self.attempts_at_leader_change != self.attempts

    def saw_leader(self, epoch: int) -> None:
        """Who leads the partition now."""
        if self.leader_epoch < epoch:
            self.leader_epoch, self.attempts_at_leader_change = epoch, self.attempts

    def reenqueued(self, backoff_ms: int, now_ms: int) -> None:
        """It failed, and is tried again after `backoff_ms`."""
        self.attempts += 1
        self.tried_ms, self.backoff_ms, self.state = now_ms, backoff_ms, "back-off"

    # -- sequences ----------------------------------------------------------------------------
    @property
    def last_sequence(self) -> int:
        """Sequence of its last record."""
        return increment_sequence(self.base_sequence, len(self.records) - 1)

    def set_producer_state(self, producer: ProducerIdAndEpoch, base_sequence: int) -> None:
        """Number it, before it is encoded."""
        self.producer, self.base_sequence = producer, base_sequence

    def reset_producer_state(self, producer: ProducerIdAndEpoch, base_sequence: int) -> None:
        """Number it anew: it is encoded once more when it leaves again."""
        self.set_producer_state(producer, base_sequence)
        self.sequence_was_reset, self.data = True, None

    # -- the end ------------------------------------------------------------------------------
    def complete(self, base_offset: int, log_append_time_ms: int, reads: tuple) -> list[Changed]:
        """It is in the log; nothing where it was given up before."""
        if self.done:
            return []
        self.done, changes = True, []
        for delta, record in enumerate(self.records):
            if base_offset >= 0 and log_append_time_ms >= 0:
                record.timestamp_ms = log_append_time_ms
            changes += record.acknowledged(base_offset + delta if base_offset >= 0 else -1, reads)
        return changes

    def complete_exceptionally(self, error_of: Callable[[int], Exception],
                               reads: tuple) -> list[Changed]:
        """It will not be sent again; `error_of(index)` gives each record's error."""
        if self.done:
            return []
        self.done, changes = True, []
        for index, record in enumerate(self.records):
            changes += record.failed(error_of(index), reads)
        return changes

    def snapshot(self, linger_ms: int) -> BatchSnapshot:
        """Frozen."""
        away = self.state in ("in flight", "given up")
        leaves_ms = None if away else self.waits_until_ms(linger_ms)
        return BatchSnapshot(self.id, self.partition, self.state, len(self.records),
                             self.size_bytes, self.builder.limit_bytes, self.buffer_bytes,
                             self.created_ms, leaves_ms, self.attempts,
                             self.producer.producer_epoch, self.base_sequence, self.request)
