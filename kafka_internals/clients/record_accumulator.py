"""RecordAccumulator: where records wait to become batches.

For each partition there is a queue of batches. A record joins the last one if it fits. A batch may
leave when it is full, when it has waited `linger.ms` since it was created, when somebody flushes or
waits for memory; a batch that failed waits for its back-off instead. A broker that gets a request
takes what waits for its other partitions along: one batch of each, so that none starves another.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from kafka_internals.clients.buffer_pool import BufferPool
from kafka_internals.clients.built_in_partitioner import BuiltInPartitioner
from kafka_internals.clients.compression_ratio_estimator import CompressionRatioEstimator
from kafka_internals.clients.producer_batch import ProducerBatch
from kafka_internals.clients.transaction_manager import TransactionManager
from kafka_internals.common import TopicPartition
from kafka_internals.memory_records_builder import MemoryRecordsBuilder

# fmt: off
READY_RULES = {
    "retry":  "a batch goes again when its back-off is over",
    "full":   "a batch goes when it has batch.size bytes or a record did not fit",
    "linger": "a batch goes linger.ms after it was created",
    "pool":   "everything goes while somebody waits for buffer.memory",
    "flush":  "flush() lets everything go",
}
COMPANY_RULE = "a batch goes with another one for the same broker"
# fmt: on


class RecordAccumulator:
    """Queues of batches, by partition, in the order in which partitions were first used.

    `incomplete` are all batches without a final answer by their ids, the oldest first.
    """

    def __init__(self, config: Any, draw: Callable[[int], int],
                 transactions: TransactionManager | None = None) -> None:
        self.batch_size, self.linger_ms = max(config["batch.size"], 1), config["linger.ms"]
        self._codec, self._draw = config["compression.type"], draw
        self._level = config.get(f"compression.{self._codec}.level")
        self._adaptive = config["partitioner.adaptive.partitioning.enable"]
        self._availability_ms = config["partitioner.availability.timeout.ms"]
        self.pool = BufferPool(config["buffer.memory"], self.batch_size)
        self.transactions = transactions
        self.queues: dict[TopicPartition, deque[ProducerBatch]] = {}
        self.incomplete: dict[str, ProducerBatch] = {}
        self.partitioners: dict[str, BuiltInPartitioner] = {}
        self.muted: set[TopicPartition] = set()
        self.flushing = False
        self.closed: list[ProducerBatch] = []       # became full since somebody asked
        self._drain_from: dict[int, int] = {}
        self._node_ms: dict[int, tuple[int, int]] = {}       # of a broker: had data, could drain
        self._ratios = CompressionRatioEstimator()
        self._created: dict[TopicPartition, int] = {}        # batches so far

    # -- records join -------------------------------------------------------------------------
    def append(self, record: Any, number: int | None, cluster: Any, now_ms: int) -> bool:
        """Let a record join a batch; False where it has to wait for memory first.

        Without a partition `number` the built-in partitioner chooses. Errors:
        IllegalArgumentException for a batch that is larger than all memory.
        """
        if record.allocation is not None and not self.pool.resume(record.allocation):
            return False
        while True:
            sticky = None if number is not None else self._partitioner(record.topic)
            at = number if sticky is None else sticky.peek(cluster)
            partition = TopicPartition(record.topic, at)
            if (queue := self.queues.get(partition)) is None:
                queue = self.queues[partition] = deque()
            if self._switched(sticky, queue, cluster):
                continue
            if (grown := self._try_append(queue, record)) is not None:
                if record.allocation is not None:           # it is not needed any more
                    self.pool.deallocate(record.allocation.size_bytes)
            elif not self._has_memory(record):
                return False
            elif self._switched(sticky, queue, cluster):
                continue
            else:
                grown = self._append_new(partition, queue, record, now_ms)
            record.allocation, record.placed = None, partition
            if queue[-1].is_full:
                self._mark_full(queue[-1])
            if sticky is not None:
                sticky.update(grown, cluster, self._all_full(queue))
            return True

    def _partitioner(self, topic: str) -> BuiltInPartitioner:
        if topic not in self.partitioners:
            self.partitioners[topic] = BuiltInPartitioner(topic, self.batch_size, self._draw)
        return self.partitioners[topic]

    def _switched(self, sticky: BuiltInPartitioner | None, queue: deque, cluster: Any) -> bool:
        """A switch that had to wait until the last batch was full, or closed for the next one."""
        return sticky is not None and self._all_full(queue) and sticky.update(0, cluster, True)

    def _all_full(self, queue: deque[ProducerBatch]) -> bool:
        """Only the last one can be open."""
        return not queue or queue[-1].is_full

    def _try_append(self, queue: deque[ProducerBatch], record: Any) -> int | None:
        if not queue:
            return None
        if (grown := queue[-1].try_append(record)) is None and not queue[-1].is_full:
            queue[-1].builder.close_for_appends()
            self._mark_full(queue[-1])
        return grown

    def _mark_full(self, batch: ProducerBatch) -> None:
        if batch.state == "open":
            batch.state = "full"
            self.closed.append(batch)

    def _has_memory(self, record: Any) -> bool:
        if record.allocation is None:
            record.allocation = self.pool.allocate(max(self.batch_size, record.upper_bound_bytes))
        return self.pool.resume(record.allocation)

    def _append_new(self, partition: TopicPartition, queue: deque[ProducerBatch], record: Any,
                    now_ms: int) -> int:
        queue.append(self._new_batch(partition, self.batch_size, now_ms,
                                     record.allocation.size_bytes))
        return queue[-1].try_append(record)

    def _new_batch(self, partition: TopicPartition, size: int, now_ms: int, buffer_bytes: int = 0,
                   is_split: bool = False) -> ProducerBatch:
        self._created[partition] = number = self._created.get(partition, 0) + 1
        builder = MemoryRecordsBuilder(size, self._codec, self._level,
                                       self._ratios.estimation(partition.topic))
        batch = ProducerBatch(f"{partition}/{number}", partition, builder, now_ms, buffer_bytes,
                              is_split)
        self.incomplete[batch.id] = batch
        return batch

    # -- batches leave ------------------------------------------------------------------------
    def reason(self, partition: TopicPartition, now_ms: int) -> str | None:
        """Why the first batch of the partition is a reason to send now; None where it is none."""
        queue = self.queues.get(partition)
        if not queue or partition in self.muted:
            return None
        first = queue[0]
        if first.attempts:
            return None if first.backs_off(now_ms) else "retry"
        if len(queue) > 1 or first.is_full:
            return "full"
        if now_ms >= first.waits_until_ms(self.linger_ms):
            return "linger"
        return "pool" if self.pool.waiters else "flush" if self.flushing else None

    def ready(self, cluster: Any, now_ms: int) -> tuple[list[int], bool]:
        """Brokers that lead something ready; True where the leader of something is not known."""
        brokers: dict[int, None] = {}
        unknown, queues = False, self.queues.items()
        for partition, queue in queues:
            if queue:
                known = cluster.leader_of(partition)
                if known is None:
                    unknown = True
                    continue
                queue[0].saw_leader(known.leader_epoch)
                if self.reason(partition, now_ms) is not None:
                    brokers[known.leader] = None
        if self._adaptive and len(queues) > 1:
            for topic, sticky in self.partitioners.items():
                of_topic = sorted([one for one in queues if one[0].topic == topic])
                if len(of_topic) > 1:               # else there is nothing to weigh
                    self._update_load_stats(sticky, of_topic, cluster)
        return list(brokers), unknown

    def _update_load_stats(self, sticky: BuiltInPartitioner, queues: list[tuple], cluster: Any
                           ) -> None:
        """Queue lengths of the partitions that have a leader which is not too slow."""
        fit = [] if len(queues) < cluster.partition_counts[sticky.topic] else [
            (name.partition, len(queue)) for name, queue in queues
            if (known := cluster.leader_of(name)) is not None
            and not (queue and self._is_slow(known.leader))]
        sticky.update_load_stats([length for _, length in fit], [number for number, _ in fit],
                                 len(queues))

    def _is_slow(self, broker: int) -> bool:
        ready_ms, drained_ms = self._node_ms.get(broker, (0, 0))
        return 0 < self._availability_ms < ready_ms - drained_ms

    def update_node_latency(self, broker: int, now_ms: int, can_drain: bool) -> None:
        """A broker had something to get, and could take it or not (KIP-794)."""
        _, drained_ms = self._node_ms.get(broker, (now_ms, now_ms))
        self._node_ms[broker] = now_ms, now_ms if can_drain else drained_ms

    def drain(self, partitions: list[TopicPartition], broker: int, max_size: int, now_ms: int
              ) -> list[tuple[ProducerBatch, str]]:
        """Take the first batch of each of the broker's partitions, from where the last drain ended.

        Each comes with the rule by which it goes. One that still lingers goes along; one that backs
        off or is muted does not. Stops before `max_size` bytes, but takes at least one batch; it
        stops, too, at a batch that has to wait for others of its partition.
        """
        drained, size = [], 0
        start = self._drain_from.get(broker, 0) % len(partitions)
        for at in (*range(start, len(partitions)), *range(start)):
            self._drain_from[broker] = at
            queue = self.queues.get(partitions[at])
            if not queue or partitions[at] in self.muted or queue[0].backs_off(now_ms):
                continue
            if drained and size + queue[0].size_bytes > max_size:
                break
            if self.transactions is not None and self.transactions.must_wait(queue[0]):
                break
            reason = self.reason(partitions[at], now_ms)
            batch = self._closed_for_good(queue.popleft(), now_ms)
            size += batch.size_bytes
            drained.append((batch, READY_RULES.get(reason, COMPANY_RULE)))
        return drained

    def _closed_for_good(self, batch: ProducerBatch, now_ms: int) -> ProducerBatch:
        if self.transactions is not None and batch.base_sequence < 0:
            self.transactions.stamp(batch)
        fresh = batch.data is None and not batch.attempts
        batch.close()
        if fresh and self._codec != "none":
            self._ratios.update_estimation(batch.partition.topic, batch.compression_ratio)
        batch.drained_ms = max(batch.drained_ms, now_ms)
        return batch

    # -- batches come back --------------------------------------------------------------------
    def reenqueue(self, batch: ProducerBatch, backoff_ms: int, now_ms: int) -> None:
        """A batch that failed goes back and waits for its back-off."""
        batch.reenqueued(backoff_ms, now_ms)
        self._insert(batch)

    def _insert(self, batch: ProducerBatch) -> None:
        """At the front, or behind the batches that have lower sequences."""
        queue, at = self.queues[batch.partition], 0
        if batch.base_sequence >= 0:
            while at < len(queue) and 0 <= queue[at].base_sequence < batch.base_sequence:
                at += 1
        queue.insert(at, batch)

    def split_and_reenqueue(self, big: ProducerBatch) -> list[ProducerBatch]:
        """What a broker found too large goes back to the front in smaller batches, as if new.

        Their size is `batch.size`, and half of the batch where that did not help.
        """
        if self._codec != "none":
            self._ratios.set_estimation(big.partition.topic, max(1.0, big.compression_ratio))
        size = self.batch_size
        if big.is_split:
            size = max(big.max_record_bytes, big.size_bytes // 2)
        parts: list[ProducerBatch] = []
        for record in big.records:
            if not parts or parts[-1].try_append(record) is None:
                parts.append(self._new_batch(big.partition, size, big.created_ms, is_split=True))
                parts[-1].try_append(record)
        sequence = big.base_sequence
        for part in parts:
            part.builder.close_for_appends()
            part.state = "full"
            if sequence >= 0:
                part.set_producer_state(big.producer, sequence)
                sequence = part.last_sequence + 1
                self.transactions.entry(big.partition).add_in_flight(part)
        for part in reversed(parts):
            self._insert(part)
        return parts

    def deallocate(self, batch: ProducerBatch) -> None:
        """Nobody reads the batch any more: its memory is free again."""
        self.incomplete.pop(batch.id, None)
        if batch.buffer_bytes:
            self.pool.deallocate(batch.buffer_bytes)
            batch.buffer_bytes = 0

    # -- time ---------------------------------------------------------------------------------
    def expired(self, created_before_ms: int) -> Iterator[ProducerBatch]:
        """Take out every waiting batch that was created at or before this time."""
        for queue in self.queues.values():
            while queue and queue[0].created_ms <= created_before_ms:
                yield queue.popleft()

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When the next waiting batch may leave that may not leave now."""
        return min([due_ms for partition, queue in self.queues.items()
                    if queue and partition not in self.muted
                    and (due_ms := queue[0].waits_until_ms(self.linger_ms)) > now_ms], default=None)

    def waiting(self, partition: TopicPartition) -> int:
        """How many records wait for a partition."""
        return sum([len(batch.records) for batch in self.queues.get(partition, ())])
