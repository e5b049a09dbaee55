"""RecordAccumulator and BuiltInPartitioner: where records wait to become batches.

For each partition there is a queue of batches. A record joins the last one if it fits. A batch may
leave when it is full, when it has waited `linger.ms` since it was created, or when somebody
flushes; a batch that failed waits for its back-off instead. A broker that gets a request takes what
waits for its other partitions along: one batch of each, so that no partition starves another.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from kafka_internals.common import TopicPartition
from kafka_internals.memory_records_builder import MemoryRecordsBuilder, size_upper_bound


class ProducerBatch:
    """A batch on its way from the accumulator to an answer."""

    __slots__ = ("partition", "builder", "records", "created_ms", "attempts", "tried_ms",
                 "backoff_ms", "data", "is_split")

    def __init__(self, partition: TopicPartition, batch_size: int, now_ms: int,
                 is_split: bool = False) -> None:
        self.partition, self.created_ms, self.is_split = partition, now_ms, is_split
        self.builder = MemoryRecordsBuilder(batch_size)
        self.records: list[Any] = []
        self.attempts = self.backoff_ms = 0
        self.tried_ms = now_ms
        self.data = None                     # the encoded batch, once it has left

    def has_room_for(self, record: Any) -> bool:
        """True where the record still fits; the first one always does."""
        return self.data is None and self.builder.has_room_for(
            record.key, record.value, record.headers, timestamp=record.timestamp_ms)

    def append(self, record: Any) -> None:
        """Take a record with its timestamp."""
        self.builder.append(record.timestamp_ms, record.key, record.value, record.headers)
        self.records.append(record)
        record.batch = self

    def waits_until_ms(self, linger_ms: int) -> int:
        """When it may leave although it is not full."""
        return self.tried_ms + self.backoff_ms if self.attempts else self.created_ms + linger_ms


class BuiltInPartitioner:
    """The sticky choice for records without a key: one partition until `batch.size` bytes went.

    It changes only between two batches, or at twice the size (KIP-480, KIP-794). Which partition is
    next is luck; adapting to the load of brokers comes with the module about the broker.
    """

    def __init__(self, batch_size: int, draw: Callable[[int], int]) -> None:
        self._batch_size, self._draw = max(batch_size, 1), draw
        self._partition: int | None = None
        self._produced_bytes = 0

    def partition(self, partitions: int, available: list[int]) -> int:
        """The partition that is stuck to now."""
        if self._partition is None:
            self._partition = available[self._draw(len(available))] if available \
                else self._draw(partitions)
        return self._partition

    def appended(self, size_bytes: int, may_switch: bool) -> None:
        """Count what went there; let go of the partition when it is time."""
        self._produced_bytes += size_bytes
        enough = self._produced_bytes >= self._batch_size and may_switch
        if enough or self._produced_bytes >= 2 * self._batch_size:
            self._partition, self._produced_bytes = None, 0


class RecordAccumulator:
    """Queues of batches, by partition, in the order in which partitions were first used."""

    def __init__(self, batch_size: int, linger_ms: int) -> None:
        self._batch_size, self._linger_ms = batch_size, linger_ms
        self.queues: dict[TopicPartition, deque[ProducerBatch]] = {}
        self.muted: set[TopicPartition] = set()
        self.flushing = False
        self._drain_from: dict[int, int] = {}

    def begins_batch(self, partition: TopicPartition, record: Any) -> bool:
        """True where the record would begin a batch there; the one before it is closed then."""
        queue = self.queues.get(partition)
        if not queue:
            return True
        if queue[-1].has_room_for(record):
            return False
        queue[-1].builder.close_for_appends()
        return True

    def append(self, partition: TopicPartition, record: Any, now_ms: int) -> int:
        """Let a record join a batch; gives the bytes by which the batch has grown."""
        queue = self.queues.setdefault(partition, deque())
        before = 0
        if self.begins_batch(partition, record):
            queue.append(ProducerBatch(partition, self._batch_size, now_ms))
        else:
            before = queue[-1].builder.estimated_size_bytes
        queue[-1].append(record)
        return queue[-1].builder.estimated_size_bytes - before

    def all_full(self, partition: TopicPartition) -> bool:
        """True where nothing may join the last batch that waits for this partition."""
        queue = self.queues.get(partition)
        return not queue or queue[-1].data is not None or queue[-1].builder.is_full

    def is_ready(self, partition: TopicPartition, now_ms: int) -> bool:
        """True where the first batch of the partition is a reason to send now."""
        queue = self.queues.get(partition)
        if not queue or partition in self.muted:
            return False
        first = queue[0]
        if now_ms >= first.waits_until_ms(self._linger_ms):
            return True
        return not first.attempts and \
            (len(queue) > 1 or first.builder.is_full or self.flushing)

    def drain(self, partitions: list[TopicPartition], broker: int, max_size: int,
              now_ms: int) -> list[ProducerBatch]:
        """Take the first batch of each of the broker's partitions, from where the last drain ended.

        One that still lingers goes along; one that backs off or is muted does not. Stops before
        `max_size` bytes, but takes at least one batch.
        """
        drained, size = [], 0
        start = self._drain_from.get(broker, 0) % len(partitions)
        for at in (*range(start, len(partitions)), *range(start)):
            self._drain_from[broker] = at
            queue = self.queues.get(partitions[at])
            if not queue or partitions[at] in self.muted or queue[0].attempts and \
                    now_ms < queue[0].waits_until_ms(self._linger_ms):
                continue
            size += queue[0].builder.estimated_size_bytes
            if drained and size > max_size:
                break
            drained.append(queue.popleft())
        return drained

    def reenqueue(self, batch: ProducerBatch, backoff_ms: int, now_ms: int) -> None:
        """A batch that failed goes back to the front and waits for its back-off."""
        batch.attempts += 1
        batch.tried_ms, batch.backoff_ms = now_ms, backoff_ms
        self.queues[batch.partition].appendleft(batch)

    def split_and_reenqueue(self, big: ProducerBatch) -> None:
        """What a broker found too large goes back to the front in smaller batches, as if new.

        Their size is `batch.size`, and half of the batch where that did not help.
        """
        size = self._batch_size
        if big.is_split:
            largest = max(size_upper_bound(r.key, r.value, r.headers) for r in big.records)
            size = max(largest, big.builder.estimated_size_bytes // 2)
        parts: list[ProducerBatch] = []
        for record in big.records:
            if not parts or not parts[-1].has_room_for(record):
                parts.append(ProducerBatch(big.partition, size, big.created_ms, is_split=True))
            parts[-1].append(record)
        for part in parts:
            part.builder.close_for_appends()
        self.queues[big.partition].extendleft(reversed(parts))

    def expired(self, created_before_ms: int) -> Iterator[ProducerBatch]:
        """Take out every waiting batch that was created at or before this time."""
        for queue in self.queues.values():
            while queue and queue[0].created_ms <= created_before_ms:
                yield queue.popleft()

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When the next waiting batch may leave that may not leave now."""
        due = [queue[0].waits_until_ms(self._linger_ms)
               for partition, queue in self.queues.items()
               if queue and partition not in self.muted]
        return min((ms for ms in due if ms > now_ms), default=None)
