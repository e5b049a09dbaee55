"""KafkaProducer: what the application thread does with a record, and what one sees of a producer.

`send()` waits for the topic's partitions to be known, chooses one, and lets the record join a
batch; where `buffer.memory` is full it waits for that, too, both within `max.block.ms`. Calls of
`send()` form a queue, since one thread makes them. Everything after that is the Sender's.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from kafka_internals.clients.buffer_pool import BufferPoolSnapshot
from kafka_internals.clients.built_in_partitioner import partition_for_key
from kafka_internals.clients.metrics import MetricName, Metrics
from kafka_internals.clients.network_client import NetworkClient, node_sensors
from kafka_internals.clients.producer_batch import BatchSnapshot, ProducerBatch
from kafka_internals.clients.producer_record import ProducerRecord, ReceiptSnapshot
from kafka_internals.clients.record_accumulator import READY_RULES, RecordAccumulator
from kafka_internals.clients.sender import Sender
from kafka_internals.clients.sender_metrics_registry import SENSORS
from kafka_internals.clients.transaction_manager import TransactionManager
from kafka_internals.common import START_MS, Changed, TopicPartition, Wait
from kafka_internals.errors import (
    BufferExhaustedException,
    IllegalArgumentException,
    RecordTooLargeException,
    TimeoutException,
)
from kafka_internals.messages import Response
from kafka_internals.messages.init_producer_id import InitProducerIdResponse
from kafka_internals.messages.metadata import MetadataResponse

PLACE_RULE = "partition = the one given, else by the key's murmur2 hash, else the sticky one"
CALL_RULE = "a call of send() begins when the one before it has returned"
JOIN_RULE = "a record joins the last batch of its partition"
STICKY_RULE = "records without a key stick to a partition until batch.size bytes went (KIP-794)"
MEMORY_RULE = "a new batch takes a buffer of batch.size bytes"

Partitioner = Callable[[str, bytes | None, bytes | None, int], int]


class ProducerSnapshot(NamedTuple):
    """What a producer holds. All pairs are (partition, topic or batch id; value).

    `partition_counts` is what it was told last: keyed records go by that, be it old or not.
    `accumulator` counts the records that wait, `in_flight` the batches that are on their way,
    `batch_state` says "open", "full", "in flight", "back-off" or "given up" of each batch that
    holds memory, `batches` tells everything about them. `sticky` is the partition that keyless
    records of a topic go to. `producer_id` and `producer_epoch` are -1 without idempotence, and
    before a broker gave them. `available_bytes` of `pool.total_bytes` are free, and so many
    `waiting_threads` want more than there is.
    """

    topics: tuple[str, ...]
    partition_counts: tuple[tuple[str, int], ...]
    leader: tuple[tuple[TopicPartition, int], ...]
    accumulator: tuple[tuple[TopicPartition, int], ...]
    in_flight: tuple[tuple[TopicPartition, int], ...]
    batch_state: tuple[tuple[str, str], ...]
    batches: tuple[BatchSnapshot, ...]
    batch_size: int
    linger_ms: int
    pool: BufferPoolSnapshot
    available_bytes: int
    waiting_threads: int
    sticky: tuple[tuple[str, int], ...]
    producer_id: int
    producer_epoch: int
    next_sequence: tuple[tuple[str, int], ...]


class KafkaProducer:
    """The core of one producer. `completed` are its records in the order in which they ended."""

    def __init__(self, client_id: str, bootstrap: tuple[int, ...], config: Any,
                 dice: Callable[[str], Callable[[int], int]],
                 partitioner: Partitioner | None = None) -> None:
        self.client_id, self.config = client_id, config
        self._metrics = Metrics(client_id, "producer", {**SENSORS, **node_sensors("producer")})
        self.network = NetworkClient(client_id, bootstrap, config, dice, self._metrics)
        self.records: list[ProducerRecord] = []
        self.completed: list[ProducerRecord] = []
        transactions = TransactionManager() if config["enable.idempotence"] else None
        self.accumulator = RecordAccumulator(config, dice("partitioner"), transactions)
        self.sender = Sender(client_id, config, self.network, self.accumulator, transactions,
                             self._metrics)
        self._partitioner, self._most_request_bytes = partitioner, config["max.request.size"]
        self._unplaced: deque[ProducerRecord] = deque()
        self._flush_upto = self._answered_upto = 0           # numbers of records

    # -- the application thread ---------------------------------------------------------------
    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: tuple,
             partition: int | None, timestamp_ms: int | None, now_ms: int) -> list:
        """Take a record; what becomes of it is told under the subject of `records[-1]`."""
        subject = f"{self.client_id}#{len(self.records) + 1}"
        record = ProducerRecord(subject, topic, key, value, headers, partition, timestamp_ms,
                                self.completed.append)
        self.records.append(record)
        effects = [Changed(subject, "state", None, "waiting", JOIN_RULE)]
        effects += self.network.add_topic(topic, ((subject, "state"),))
        self._unplaced.append(record)
        return effects + self._run(now_ms)

    def flush(self, now_ms: int) -> list:
        """Let every batch go at once until all records that were sent so far are answered."""
        self._flush_upto, self.accumulator.flushing = len(self.records), True
        return self._run(now_ms)

    def has_answered(self, upto: int) -> bool:
        """True once the first `upto` records are acknowledged, or have failed."""
        while self._answered_upto < upto and self.records[self._answered_upto].state != "waiting":
            self._answered_upto += 1
        return self._answered_upto >= upto

    def _run(self, now_ms: int) -> list:
        """Both threads, until neither has anything to do."""
        effects = self.sender.expire(now_ms)
        while True:
            if self.accumulator.flushing:
                self.accumulator.flushing = not self.has_answered(self._flush_upto)
            if self._unplaced:
                effects += self._place(now_ms)
            if not (sent := self.sender.run_once(now_ms)):       # so no place became free either
                return effects
            effects += sent

    def _place(self, now_ms: int) -> list[Changed]:
        """Let records join batches, in order: one that waits holds up the rest."""
        effects, before = [], None
        while self._unplaced:
            record = self._unplaced[0]
            changes, why_blocked = self._try_place(record, now_ms)
            effects += changes
            if why_blocked is not None:
                if record.called_ms is None:
                    record.called_ms = now_ms
                    effects.append(Changed(
                        record.subject, "called_ms", None, now_ms, CALL_RULE,
                        (before or (record.subject, "state"), *why_blocked)))
                if now_ms - record.called_ms < self.config["max.block.ms"]:
                    break
                effects += self._block_is_over(record, now_ms)
            self._unplaced.popleft()
            before = (record.subject, "partition" if record.placed else "state")
        return effects

    def _try_place(self, record: ProducerRecord, now_ms: int) -> tuple[list[Changed], tuple | None]:
        """What changed, and reads about what blocks the call, or None where nothing does."""
        count = self.network.partition_counts.get(record.topic)
        if count is None or (record.partition is not None and record.partition >= count):
            return [], ()
        available, pool = (self.client_id, "available_bytes"), self.accumulator.pool
        waited, short_before = record.allocation is not None, pool.lowest_bytes
        if waited and not pool.available_bytes:
            return [], (available,)
        try:
            self._ensure_valid_size(record)
            number = self._number(record, count)
            old = self._before(record.topic)
            if record.timestamp_ms is None:
                record.timestamp_ms = START_MS + now_ms
            joined = self.accumulator.append(record, number, self.network, now_ms)
        except Exception as error:
            return record.failed(error), None
        if not joined:
            if number is None:
                number = self.accumulator.partitioners[record.topic].partition
            reads = ((record.subject, "state"),
                     (self.client_id, f"leader.{TopicPartition(record.topic, number)}"))
            return self._closed(reads) + self._memory(old, reads), (available,)
        if waited:
            self._waited(record, now_ms, in_vain=False)
        needed = record.batch.buffer_bytes
        memory = (available,) if waited else (
            (*available, needed),) if short_before < needed and len(record.batch.records) == 1 \
            else ()
        counted = (self.client_id, f"partition_counts.{record.topic}")
        by_count = (counted,) if number is not None and record.partition is None else ()
        return self._joined(record, old, (*by_count, *memory), counted), None

    def _ensure_valid_size(self, record: ProducerRecord) -> None:
        size = record.upper_bound_bytes
        if size > (limit := self._most_request_bytes):
            raise RecordTooLargeException(
                f"The message is {size} bytes when serialized which is larger than {limit}, which "
                f"is the value of the max.request.size configuration.")
        if size > self.accumulator.pool.total_bytes:
            raise RecordTooLargeException(
                f"The message is {size} bytes when serialized which is larger than the total "
                f"memory buffer you have configured with the buffer.memory configuration.")

    def _number(self, record: ProducerRecord, count: int) -> int | None:
        """The partition that the record has to go to; None where the built-in one may choose."""
        if record.partition is not None:
            return record.partition
        if self._partitioner is not None:
            number = self._partitioner(record.topic, record.key, record.value, count)
            if not isinstance(number, int) or isinstance(number, bool) or number < 0:
                raise IllegalArgumentException(
                    f"The partitioner generated an invalid partition number: {number!r}. Partition "
                    f"number should always be non-negative.")
            return number
        if record.key is None or self.config["partitioner.ignore.keys"]:
            return None
        return partition_for_key(record.key, count)

    def _before(self, topic: str) -> tuple:
        sticky = self.accumulator.partitioners.get(topic)
        pool = self.accumulator.pool
        return pool.available_bytes, sticky and sticky.partition, len(pool.waiters)

    def _memory(self, before: tuple, reads: tuple) -> list[Changed]:
        pool = self.accumulator.pool
        now = (("waiting_threads", before[2], len(pool.waiters)),
               ("available_bytes", before[0], pool.available_bytes))
        return [Changed(self.client_id, name, old, new, MEMORY_RULE, reads)
                for name, old, new in now if old != new]

    def _joined(self, record: ProducerRecord, before: tuple, also: tuple,
                counted: tuple[str, str]) -> list[Changed]:
        """Everything that changed when a record joined a batch."""
        partition = record.placed
        count, waiting = self.accumulator.waiting(partition), f"accumulator.{partition}"
        reads = ((record.subject, "state"), (self.client_id, f"leader.{partition}"), *also)
        changes = [Changed(record.subject, "partition", None, partition, PLACE_RULE, reads),
                   Changed(self.client_id, waiting, count - 1, count, JOIN_RULE, reads)]
        if not self.accumulator.closed and self._before(record.topic) == before:
            return changes                             # as of most records
        reads += ((self.client_id, waiting),)
        changes += self._memory(before, reads)
        if len(record.batch.records) == 1:
            changes.append(Changed(self.client_id, f"batch_state.{record.batch.id}", None, "open",
                                   JOIN_RULE, reads))
        changes += self._closed(reads)
        sticky = self.accumulator.partitioners.get(record.topic)
        if sticky is not None and sticky.partition != before[1]:
            load = tuple((self.client_id, f"accumulator.{name}")
                         for name in self.accumulator.queues if sticky.uses_load)
            changes.append(Changed(self.client_id, f"sticky.{record.topic}", before[1],
                                   sticky.partition, STICKY_RULE, (*reads, counted, *load)))
        return changes

    def _closed(self, reads: tuple) -> list[Changed]:
        """Batches that nothing may join any more."""
        full, self.accumulator.closed = self.accumulator.closed, []
        return [Changed(self.client_id, f"batch_state.{batch.id}", "open", "full",
                        READY_RULES["full"], reads) for batch in full]

    def _waited(self, record: ProducerRecord, now_ms: int, in_vain: bool) -> None:
        waited_ns = (now_ms - record.called_ms) * 1_000_000
        self._metrics["bufferpool-wait-time"].record(waited_ns, now_ms)
        if in_vain:
            self._metrics["buffer-exhausted-records"].record(1, now_ms)

    def _block_is_over(self, record: ProducerRecord, now_ms: int) -> list[Changed]:
        """`max.block.ms` have passed: the call returns with an error in its receipt."""
        if record.allocation is None:
            return record.failed(TimeoutException(self._not_in_metadata(record)))
        pool, wanted = self.accumulator.pool, record.allocation
        error = BufferExhaustedException(pool.exhausted(wanted, self.config["max.block.ms"]))
        before = self._before(record.topic)
        pool.give_up(wanted)
        record.allocation = None
        self._waited(record, now_ms, in_vain=True)
        reads = ((record.subject, "called_ms"),)
        return self._memory(before, reads) + record.failed(error, reads)

    def _not_in_metadata(self, record: ProducerRecord) -> str:
        after = f"after {self.config['max.block.ms']} ms."
        if (count := self.network.partition_counts.get(record.topic)) is None:
            return f"Topic {record.topic} not present in metadata {after}"
        return (f"Partition {record.partition} of topic {record.topic} with partition count "
                f"{count} is not present in metadata {after}")

    # -- answers and time ---------------------------------------------------------------------
    def handle(self, broker: int, response: Response, now_ms: int) -> list:
        """A response has come."""
        if (found := self.network.completed(broker, response, now_ms)) is None:
            return []
        asked, reads = found
        if isinstance(response.body, MetadataResponse):
            effects = self.network.learn(reads, response.body, now_ms)
        elif isinstance(response.body, InitProducerIdResponse):
            effects = self.sender.handle_init_producer_id(response.body, reads, now_ms)
        else:
            effects = self.sender.handle_produce(asked, response, broker, reads, now_ms)
        return effects + self._run(now_ms)

    def disconnected(self, broker: int, now_ms: int) -> list:
        """The connection to a broker is gone: its batches may or may not be in a log."""
        failed, reads = self.network.disconnected(broker, now_ms)
        return self.sender.handle_lost(broker, failed, reads, now_ms) + self._run(now_ms)

    def tick(self, now_ms: int) -> list:
        """Time has passed: requests that got no answer, batches that lingered or are too old."""
        effects = []
        for broker in self.network.timed_out(now_ms):
            closed, failed, reads = self.network.give_up(broker, now_ms)
            effects += closed + self.sender.handle_lost(broker, failed, reads, now_ms, True)
        return effects + self._run(now_ms)

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When `tick` has something to do."""
        due_ms = self.sender.next_deadline_ms(now_ms)
        if self._unplaced:                         # the first of them has been called
            gives_up_ms = self._unplaced[0].called_ms + self.config["max.block.ms"]
            due_ms = gives_up_ms if due_ms is None else min(due_ms, gives_up_ms)
        return due_ms

    # -- seen from outside --------------------------------------------------------------------
    def snapshot(self) -> ProducerSnapshot:
        """Frozen."""
        accumulator, transactions = self.accumulator, self.sender.transactions
        batches = tuple(batch.snapshot(accumulator.linger_ms)
                        for batch in accumulator.incomplete.values())
        pool = accumulator.pool.snapshot()
        identity = (-1, -1) if transactions is None else transactions.producer
        return ProducerSnapshot(
            self.network.topics, tuple(self.network.partition_counts.items()),
            tuple((name, known.leader) for name, known in self.network.leaders.items()),
            tuple((name, accumulator.waiting(name)) for name in accumulator.queues),
            tuple((name, len(flying)) for name, flying in self.sender.in_flight.items()),
            tuple((batch.id, batch.state) for batch in batches), batches, accumulator.batch_size,
            accumulator.linger_ms, pool, pool.available_bytes, len(pool.waiting),
            tuple((topic, one.partition) for topic, one in accumulator.partitioners.items()),
            *identity, tuple((str(name), sequence) for name, sequence
                             in self.sender.next_sequences().items()))

    def metrics(self, now_ms: int) -> dict[MetricName, float]:
        """Every metric of the Java client that is measured here; to look changes nothing."""
        pool = self.accumulator.pool
        return self._metrics.read(now_ms, {
            "buffer-total-bytes": pool.total_bytes, "buffer-available-bytes": pool.available_bytes,
            "waiting-threads": len(pool.waiters), **self.network.gauges()})

    def receipt(self, record: ProducerRecord) -> ReceiptSnapshot:
        """One record, frozen."""
        return record.snapshot(self._waits(record) if record.state == "waiting" else ())

    def _waits(self, record: ProducerRecord) -> tuple[Wait, ...]:
        if record.placed is None:
            called_ms = record.called_ms
            until_ms = None if called_ms is None else called_ms + self.config["max.block.ms"]
            if record.allocation is not None:
                return (Wait("state", self.client_id, "available_bytes",
                             record.allocation.size_bytes, until_ms),)
            return (Wait("state", self.client_id, f"leader.{record.topic}-0", 0, until_ms),)
        batch: ProducerBatch = record.batch
        give_up_ms = batch.created_ms + self.config["delivery.timeout.ms"]
        if batch.state == "in flight":
            return (Wait("state", batch.request, "answer", None, give_up_ms),)
        leaves_ms = batch.waits_until_ms(self.accumulator.linger_ms)
        return (Wait("state", self.client_id, f"accumulator.{record.placed}", 0, leaves_ms),)
