"""KafkaProducer: from `send()` to an answer, as the application thread and the sender thread do it.

A record needs to know its topic's partitions first, then it joins a batch. The sender lets batches
go to the leaders of their partitions, at most `max.in.flight.requests.per.connection` requests to
one broker. A retriable error or a lost connection puts a batch back, after a back-off, until
`delivery.timeout.ms` have passed since it was created. Without idempotence (a later module) a retry
may store a record twice, and with several requests in flight it may change their order.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from kafka_internals.byte_utils import murmur2
from kafka_internals.clients.network_client import InFlight, NetworkClient
from kafka_internals.clients.record_accumulator import (
    BuiltInPartitioner,
    ProducerBatch,
    RecordAccumulator,
)
from kafka_internals.common import START_MS, Changed, TopicPartition, Wait
from kafka_internals.errors import (
    ApiException,
    InvalidMetadataException,
    RecordTooLargeException,
    RetriableException,
    TimeoutException,
    for_name,
)
from kafka_internals.memory_records_builder import size_upper_bound
from kafka_internals.messages import Response
from kafka_internals.messages.metadata import MetadataResponse
from kafka_internals.messages.produce import NO_ACK, PartitionProduceData, ProduceRequest
from kafka_internals.record_batch import RecordBatch

SEND_RULE = "a batch goes when it is full, lingered or flushed, or with one that does"
RECEIPT_RULE = "a record is answered with its batch"
PLACE_RULE = "partition = the one given, else by the key's murmur2 hash, else the sticky one"
BACK_RULE = "a retriable error puts a batch back, one that was too large in smaller ones"
CALL_RULE = "a call of send() begins when the one before it has returned"
JOIN_RULE = "a record joins the last batch of its partition"


class ProducerRecord:
    """One record and what became of it. `state`: "waiting", "acknowledged" or "failed"."""

    __slots__ = ("subject", "topic", "key", "value", "headers", "partition", "timestamp_ms",
                 "called_ms", "state", "placed", "offset", "error", "request", "batch")

    def __init__(self, subject: str, topic: str, key: bytes | None, value: bytes | None,
                 headers: tuple, partition: int | None, timestamp_ms: int | None) -> None:
        self.subject, self.topic, self.key, self.value = subject, topic, key, value
        self.headers, self.partition, self.timestamp_ms = headers, partition, timestamp_ms
        self.called_ms: int | None = None          # when its send() began to block
        self.state = "waiting"
        self.placed: TopicPartition | None = None
        self.offset: int | None = None
        self.error: ApiException | None = None
        self.request: str | None = None
        self.batch: ProducerBatch | None = None


class ReceiptSnapshot(NamedTuple):
    """One record's way, from "waiting" to "acknowledged" or "failed".

    `called_ms` is when its `send()` began to block; None where it did not, or has not yet.
    """

    state: str
    partition: TopicPartition | None
    offset: int | None
    error: str | None
    called_ms: int | None
    waits: tuple[Wait, ...]


class ProducerSnapshot(NamedTuple):
    """What a producer holds. `leader` and `accumulator` are (partition, value) pairs."""

    topics: tuple[str, ...]
    leader: tuple[tuple[TopicPartition, int], ...]
    accumulator: tuple[tuple[TopicPartition, int], ...]


class KafkaProducer:
    """The core of one producer."""

    def __init__(self, client_id: str, bootstrap: tuple[int, ...], config: Any,
                 dice: Callable[[str], Callable[[int], int]]) -> None:
        self.client_id, self.config = client_id, config
        self.network = NetworkClient(client_id, bootstrap, config, dice)
        self.records: list[ProducerRecord] = []
        self._accumulator = RecordAccumulator(config["batch.size"], config["linger.ms"])
        self._dice, self._partitioners = dice, {}
        self._unplaced: deque[ProducerRecord] = deque()
        self._in_flight_batches: list[ProducerBatch] = []
        self._flush_upto = self._answered_upto = 0           # numbers of records

    # -- the application thread ---------------------------------------------------------------
    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: tuple,
             partition: int | None, timestamp_ms: int | None, now_ms: int) -> list:
        """Take a record; what becomes of it is told under the subject of `records[-1]`."""
        subject = f"{self.client_id}#{len(self.records) + 1}"
        record = ProducerRecord(subject, topic, key, value, headers, partition, timestamp_ms)
        self.records.append(record)
        effects = [Changed(subject, "state", None, "waiting", JOIN_RULE)]
        effects += self.network.add_topic(topic, ((subject, "state"),))
        self._unplaced.append(record)
        return effects + self._run(now_ms)

    def flush(self, now_ms: int) -> list:
        """Let every batch go at once until all records that were sent so far are answered."""
        self._flush_upto = len(self.records)
        return self._run(now_ms)

    def _is_flushing(self) -> bool:
        while self._answered_upto < self._flush_upto:
            if self.records[self._answered_upto].state == "waiting":
                return True
            self._answered_upto += 1
        return False

    # -- the sender thread --------------------------------------------------------------------
    def _run(self, now_ms: int) -> list:
        self._accumulator.flushing = self._is_flushing()
        effects = self._place(now_ms)
        effects += self._expire(now_ms)
        effects += self.network.refresh_metadata(now_ms)
        while sent := self._send_ready(now_ms):
            effects += sent
        return effects

    def _place(self, now_ms: int) -> list:
        """Let records join batches, in order: one that waits for metadata holds up the rest."""
        effects, before = [], None
        while self._unplaced:
            record = self._unplaced[0]
            count = self.network.partition_counts.get(record.topic)
            if count is None or (record.partition is not None and record.partition >= count):
                if record.called_ms is None:
                    record.called_ms = now_ms
                    effects.append(Changed(record.subject, "called_ms", None, now_ms, CALL_RULE,
                                           (before or (record.subject, "state"),)))
                if now_ms - record.called_ms < self.config["max.block.ms"]:
                    break
                effects += self._fail(self._unplaced.popleft(), TimeoutException(
                    self._not_in_metadata(record, count)), ())
            else:
                effects += self._join(self._unplaced.popleft(), count, now_ms)
            before = (record.subject, "partition" if record.placed else "state")
        return effects

    def _not_in_metadata(self, record: ProducerRecord, count: int | None) -> str:
        after = f"after {self.config['max.block.ms']} ms."
        if count is None:
            return f"Topic {record.topic} not present in metadata {after}"
        return (f"Partition {record.partition} of topic {record.topic} with partition count "
                f"{count} is not present in metadata {after}")

    def _join(self, record: ProducerRecord, count: int, now_ms: int) -> list[Changed]:
        size = size_upper_bound(record.key, record.value, record.headers)
        if size > (limit := self.config["max.request.size"]):
            return self._fail(record, RecordTooLargeException(
                f"The message is {size} bytes when serialized which is larger than {limit}, which "
                f"is the value of the max.request.size configuration."), ())
        if record.timestamp_ms is None:
            record.timestamp_ms = START_MS + now_ms
        sticky = None
        if record.partition is not None:
            number = record.partition
        elif record.key is not None:
            number = (murmur2(record.key) & 0x7FFFFFFF) % count
        else:
            sticky = self._partitioner(record.topic)
            number = self._stick(sticky, record, count)
        record.placed = partition = TopicPartition(record.topic, number)
        grown = self._accumulator.append(partition, record, now_ms)
        if sticky is not None:
            sticky.appended(grown, self._accumulator.all_full(partition))
        waiting = self._waiting(partition)
        reads = (record.subject, "state"), (self.client_id, f"leader.{partition}")
        return [Changed(record.subject, "partition", None, partition, PLACE_RULE, reads),
                Changed(self.client_id, f"accumulator.{partition}", waiting - 1, waiting,
                        JOIN_RULE, reads)]

    def _stick(self, sticky: BuiltInPartitioner, record: ProducerRecord, count: int) -> int:
        """The sticky partition; where the record would begin a batch there, it may change."""
        led = [number for number in range(count)
               if self.network.leader_of(TopicPartition(record.topic, number))]
        number = sticky.partition(count, led)
        if self._accumulator.begins_batch(TopicPartition(record.topic, number), record):
            sticky.appended(0, may_switch=True)
            number = sticky.partition(count, led)
        return number

    def _partitioner(self, topic: str) -> BuiltInPartitioner:
        if topic not in self._partitioners:
            self._partitioners[topic] = BuiltInPartitioner(self.config["batch.size"],
                                                           self._dice("partitioner"))
        return self._partitioners[topic]

    def _waiting(self, partition: TopicPartition) -> int:
        return sum(len(batch.records) for batch in self._accumulator.queues[partition])

    def _send_ready(self, now_ms: int) -> list:
        """One request to each broker that leads something ready and can take a request."""
        ready: dict[int, None] = {}
        for partition in self._accumulator.queues:
            if self._accumulator.is_ready(partition, now_ms):
                if known := self.network.leader_of(partition):
                    ready[known.leader] = None
                else:
                    self.network.want_metadata()
        effects = []
        for broker in ready:
            if self.network.can_send(broker, now_ms):
                batches = self._accumulator.drain(self.network.led_by(broker), broker,
                                                  self.config["max.request.size"], now_ms)
                effects += self._produce(broker, batches, now_ms)
        return effects

    def _produce(self, broker: int, batches: list[ProducerBatch], now_ms: int) -> list:
        data, reads = [], []
        limit = self.config["max.in.flight.requests.per.connection"]
        for batch in batches:
            if batch.data is None:
                batch.data = RecordBatch(batch.builder.build())
            if limit == 1:
                self._accumulator.muted.add(batch.partition)
            data.append(PartitionProduceData(batch.partition, batch.data))
            reads += [(self.client_id, f"accumulator.{batch.partition}"),
                      (self.client_id, f"leader.{batch.partition}")]
        body = ProduceRequest(self.config["acks"], self.config["request.timeout.ms"], tuple(data))
        effects = self.network.send(broker, body, batches, now_ms, SEND_RULE, tuple(reads), limit)
        asked = (effects[0].subject, "asked")
        for batch in batches:
            left = self._waiting(batch.partition)
            effects.append(Changed(self.client_id, f"accumulator.{batch.partition}",
                                   left + len(batch.records), left, SEND_RULE, (asked,)))
            for record in batch.records:
                record.request = asked[0]
        if self.config["acks"] == NO_ACK:
            self.network.forget_last(broker)
            return effects + [c for batch in batches
                              for c in self._acknowledge(batch, None, (asked,))]
        self._in_flight_batches += batches
        return effects

    # -- answers ------------------------------------------------------------------------------
    def handle(self, broker: int, response: Response, now_ms: int) -> list:
        """A response has come."""
        if (found := self.network.completed(broker, response)) is None:
            return []
        asked, reads = found
        if isinstance(response.body, MetadataResponse):
            return self.network.learn(reads, response.body, now_ms) + self._run(now_ms)
        effects = []
        for batch, result in zip(asked.context, response.body.partitions):
            if not self._leave_flight(batch):
                continue
            if result.error == "NONE":
                effects += self._acknowledge(batch, result, reads)
                self.network.settled(broker, (batch.records[-1].subject, "state"))
            else:
                error = for_name(result.error)(result.message or "")
                effects += self._retry_or_fail(batch, error, reads, now_ms)
        return effects + self._run(now_ms)

    def _leave_flight(self, batch: ProducerBatch) -> bool:
        """False where the batch was given up while it was in flight."""
        self._accumulator.muted.discard(batch.partition)
        if batch not in self._in_flight_batches:
            return False
        self._in_flight_batches.remove(batch)
        return True

    def _acknowledge(self, batch: ProducerBatch, result: Any, reads: tuple) -> list[Changed]:
        effects = []
        for delta, record in enumerate(batch.records):
            record.state, record.offset = "acknowledged", -1
            if result is not None and result.base_offset >= 0:
                record.offset, time_ms = result.base_offset + delta, result.log_append_time_ms
                record.timestamp_ms = time_ms if time_ms >= 0 else record.timestamp_ms
            effects += [Changed(record.subject, "state", "waiting", "acknowledged", RECEIPT_RULE,
                                reads),
                        Changed(record.subject, "offset", None, record.offset, RECEIPT_RULE,
                                reads)]
        return effects

    def _retry_or_fail(self, batch: ProducerBatch, error: ApiException, reads: tuple,
                       now_ms: int) -> list:
        if isinstance(error, InvalidMetadataException):
            self.network.want_metadata(reads)
        if isinstance(error, RecordTooLargeException) and len(batch.records) > 1:
            return self._back(batch, self._accumulator.split_and_reenqueue, reads)
        in_time = now_ms < batch.created_ms + self.config["delivery.timeout.ms"]
        if isinstance(error, RetriableException) and in_time \
                and batch.attempts < self.config["retries"]:
            backoff_ms = self.network.retry_backoff_ms(batch.attempts)
            return self._back(batch, lambda one: self._accumulator.reenqueue(
                one, backoff_ms, now_ms), reads)
        return [effect for record in batch.records for effect in self._fail(record, error, reads)]

    def _back(self, batch: ProducerBatch, put: Callable[[ProducerBatch], None],
              reads: tuple) -> list[Changed]:
        old = self._waiting(batch.partition)
        put(batch)
        return [Changed(self.client_id, f"accumulator.{batch.partition}", old,
                        old + len(batch.records), BACK_RULE, reads)]

    def _fail(self, record: ProducerRecord, error: ApiException, reads: tuple) -> list[Changed]:
        record.state, record.error = "failed", error
        return [Changed(record.subject, "state", "waiting", "failed", RECEIPT_RULE, reads),
                Changed(record.subject, "error", None, error.error_name, RECEIPT_RULE, reads)]

    def disconnected(self, broker: int, now_ms: int) -> list:
        """The connection to a broker is gone: its batches may or may not be in a log."""
        return self._failed_in_flight(*self.network.disconnected(broker, now_ms), now_ms) \
            + self._run(now_ms)

    def _failed_in_flight(self, failed: list[InFlight], reads: tuple, now_ms: int) -> list:
        effects = []
        for asked in failed:
            for batch in asked.context:
                if self._leave_flight(batch):
                    effects += self._retry_or_fail(
                        batch, for_name("NETWORK_EXCEPTION")("The server disconnected before a "
                                                             "response was received."),
                        ((asked.request.id, "asked"), *reads), now_ms)
        return effects

    # -- time ---------------------------------------------------------------------------------
    def _expire(self, now_ms: int) -> list:
        """Fail what was not delivered within `delivery.timeout.ms`, waiting or in flight."""
        before_ms = now_ms - self.config["delivery.timeout.ms"]
        late = list(self._accumulator.expired(before_ms))
        effects = [Changed(self.client_id, f"accumulator.{batch.partition}",
                           self._waiting(batch.partition) + len(batch.records),
                           self._waiting(batch.partition), "delivery.timeout.ms") for batch in late]
        in_flight = [batch for batch in self._in_flight_batches if batch.created_ms <= before_ms]
        for batch in in_flight:
            self._leave_flight(batch)
        for batch in late + in_flight:
            error = TimeoutException(
                f"Expiring {len(batch.records)} record(s) for {batch.partition}:"
                f"{now_ms - batch.created_ms} ms has passed since batch creation")
            reads = ((self.client_id, f"accumulator.{batch.partition}"),)
            for record in batch.records:
                effects += self._fail(record, error, reads)
        return effects

    def tick(self, now_ms: int) -> list:
        """Time has passed: requests that got no answer, batches that lingered or are too old."""
        effects = []
        for broker in self.network.timed_out(now_ms):
            closed, failed, reads = self.network.give_up(broker, now_ms)
            effects += closed + self._failed_in_flight(failed, reads, now_ms)
        return effects + self._run(now_ms)

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When `tick` has something to do."""
        due = [self.network.next_deadline_ms(now_ms), self._accumulator.next_deadline_ms(now_ms)]
        if self._unplaced:                         # the first of them has been called
            due.append(self._unplaced[0].called_ms + self.config["max.block.ms"])
        timeout_ms = self.config["delivery.timeout.ms"]
        due += [queue[0].created_ms + timeout_ms
                for queue in self._accumulator.queues.values() if queue]
        due += [batch.created_ms + timeout_ms for batch in self._in_flight_batches]
        for partition, queue in self._accumulator.queues.items():
            known = self.network.leader_of(partition) if queue else None
            if known:
                due.append(self.network.reachable_from_ms(known.leader))
        return min((ms for ms in due if ms is not None and ms > now_ms), default=None)

    # -- seen from outside --------------------------------------------------------------------
    def snapshot(self) -> ProducerSnapshot:
        """Frozen."""
        return ProducerSnapshot(
            self.network.topics,
            tuple((name, known.leader) for name, known in self.network.leaders.items()),
            tuple((name, self._waiting(name)) for name in self._accumulator.queues))

    def receipt(self, record: ProducerRecord) -> ReceiptSnapshot:
        """One record, frozen."""
        error = record.error and record.error.error_name
        return ReceiptSnapshot(record.state, record.placed, record.offset, error,
                               record.called_ms, self._waits(record))

    def _waits(self, record: ProducerRecord) -> tuple[Wait, ...]:
        if record.state != "waiting":
            return ()
        if record.placed is None:
            called_ms = record.called_ms
            until_ms = None if called_ms is None else called_ms + self.config["max.block.ms"]
            return (Wait("state", self.client_id, f"leader.{record.topic}-0", 0, until_ms),)
        give_up_ms = record.batch.created_ms + self.config["delivery.timeout.ms"]
        if record.batch in self._in_flight_batches:
            return (Wait("state", record.request, "answer", None, give_up_ms),)
        leaves_ms = record.batch.waits_until_ms(self.config["linger.ms"])
        return (Wait("state", self.client_id, f"accumulator.{record.placed}", 0, leaves_ms),)
