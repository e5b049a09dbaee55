"""Sender: the thread that lets batches go to the leaders of their partitions and hears of them.

At most `max.in.flight.requests.per.connection` requests are on their way to one broker. A retriable
error or a lost connection puts a batch back, after a back-off, until `delivery.timeout.ms` have
passed since it was created. With idempotence (KIP-98) a batch keeps its sequence numbers, so a
retry is stored once; without, it may be stored twice, and several requests may change order.
"""

from collections.abc import Callable
from typing import Any

from kafka_internals.clients.metrics import Metrics
from kafka_internals.clients.network_client import InFlight, NetworkClient
from kafka_internals.clients.producer_batch import ProducerBatch
from kafka_internals.clients.record_accumulator import RecordAccumulator
from kafka_internals.clients.sender_metrics_registry import record_sent
from kafka_internals.clients.transaction_manager import TransactionManager
from kafka_internals.common import Changed, TopicPartition
from kafka_internals.config.config_def import INT_MAX
from kafka_internals.errors import (
    InvalidMetadataException,
    KafkaException,
    RetriableException,
    TimeoutException,
    for_name,
)
from kafka_internals.messages import Response
from kafka_internals.messages.init_producer_id import InitProducerIdRequest
from kafka_internals.messages.produce import (
    NO_ACK,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
)

SEND_RULE = "a broker gets one batch of each of its partitions once one of them is ready"
END_RULE = "the batch has its final answer"
IDENTITY_RULE = "an idempotent producer numbers its batches (KIP-98)"
BUMP_RULE = "a gap that cannot be closed: the next epoch counts from 0 (KIP-360)"
MEMORY_RULE = "a batch's buffer is free when nobody reads it any more"
EXPIRY_RULE = "delivery.timeout.ms"


class Sender:
    """`in_flight` are the batches of each partition whose request has no answer yet."""

    def __init__(self, client_id: str, config: Any, network: NetworkClient,
                 accumulator: RecordAccumulator, transactions: TransactionManager | None,
                 metrics: Metrics) -> None:
        self.client_id, self.config, self.network = client_id, config, network
        self.accumulator, self.transactions = accumulator, transactions
        self.in_flight: dict = {}
        self._metrics = metrics
        self._acks, self._request_timeout_ms = config["acks"], config["request.timeout.ms"]
        self._limit = config["max.in.flight.requests.per.connection"]
        self._delivery_timeout_ms = config["delivery.timeout.ms"]
        self._most_bytes = config["max.request.size"]
        self._initializing, self._initialize_from_ms = False, 0
        self._gap_reads: tuple = ()                  # the answer that told of a gap

    def _told(self, attribute: str, old: Any, new: Any, rule: str, reads: tuple) -> list[Changed]:
        return [] if old == new else [Changed(self.client_id, attribute, old, new, rule, reads)]

    # -- sending ------------------------------------------------------------------------------
    def run_once(self, now_ms: int) -> list:
        """One turn: who am I, who leads what, what may leave?"""
        if (manager := self.transactions) is None:
            return self.network.refresh_metadata(now_ms) + self._send_ready(now_ms)
        if manager.error is not None:
            return self.abort_batches(manager.error, ())
        effects = self._bump_epoch() if manager.resolve_sequences() else []
        effects += self.network.refresh_metadata(now_ms)
        if manager.state != "READY":
            effects += self._initialize(now_ms)
        return effects + self._send_ready(now_ms)

    def _bump_epoch(self) -> list[Changed]:
        """Go on under the next epoch: a partition needs that."""
        before, sequences = self.transactions.producer, self.next_sequences()
        self.transactions.bump_epoch()
        return self._identity(before, BUMP_RULE, self._gap_reads) \
            + self._renumbered(sequences, self._gap_reads)

    def next_sequences(self) -> dict[TopicPartition, int]:
        """The next sequence of each partition that has had one."""
        return {} if self.transactions is None else {
            name: entry.next_sequence for name, entry in self.transactions.entries.items()}

    def _renumbered(self, before: dict[TopicPartition, int], reads: tuple) -> list[Changed]:
        return [] if self.transactions is None else [
            Changed(self.client_id, f"next_sequence.{name}", old, entry.next_sequence,
                    IDENTITY_RULE, reads)
            for name, entry in self.transactions.entries.items()
            if (old := before.get(name)) != entry.next_sequence]

    def _identity(self, before: Any, rule: str, reads: tuple) -> list[Changed]:
        now = self.transactions.producer
        return self._told("producer_id", before.producer_id, now.producer_id, rule, reads) \
            + self._told("producer_epoch", before.producer_epoch, now.producer_epoch, rule, reads)

    def _initialize(self, now_ms: int) -> list:
        """Ask any broker for a producer id, after the metadata that is asked for first."""
        if self._initializing or now_ms < self._initialize_from_ms:
            return []
        broker = self.network.least_loaded_node(now_ms)
        if broker is None or not self.network.topics:
            return []
        if self.transactions.state == "UNINITIALIZED":
            self.transactions.begin_initializing()
        self._initializing = True
        return self.network.send(broker, InitProducerIdRequest(None, INT_MAX), (), now_ms,
                                 IDENTITY_RULE, ((self.client_id, "topics"),))

    def _send_ready(self, now_ms: int) -> list:
        """One request to each broker that leads something ready and can take a request."""
        brokers, unknown = self.accumulator.ready(self.network, now_ms)
        effects = []
        if unknown:
            self.network.want_metadata()
            effects += self.network.refresh_metadata(now_ms)
        for broker in brokers:
            can_send = self.network.can_send(broker, now_ms)
            self.accumulator.update_node_latency(broker, now_ms, can_send)
            if can_send:
                before = self.next_sequences()
                drained = self.accumulator.drain(self.network.led_by(broker), broker,
                                                 self._most_bytes, now_ms)
                if drained:
                    effects += self._produce(broker, drained, before, now_ms)
        return effects

    def _produce(self, broker: int, drained: list[tuple[ProducerBatch, str]],
                 sequences: dict[TopicPartition, int], now_ms: int) -> list:
        batches = [batch for batch, _ in drained]
        body = ProduceRequest(self._acks, self._request_timeout_ms, tuple([
            PartitionProduceData(batch.partition, batch.data) for batch in batches]))
        effects = self.network.send(broker, body, batches, now_ms, SEND_RULE,
                                    self._known(batches), self._limit)
        reads = ((effects[0].subject, "asked"),)
        for batch, rule in drained:
            batch.request = effects[0].subject
            left = self.accumulator.waiting(batch.partition)
            effects.append(Changed(self.client_id, f"accumulator.{batch.partition}",
                                   left + len(batch.records), left, rule, reads))
            effects += self._state(batch, "in flight", rule, reads)
        effects += self._renumbered(sequences, reads)
        record_sent(self._metrics, batches, now_ms)
        if body.acks == NO_ACK:
            self.network.forget_last(broker)
            written = PartitionProduceResponse(None)
            return effects + [change for batch in batches
                              for change in self._complete(batch, written, reads, now_ms)]
        for batch in batches:
            if self._limit == 1:
                self.accumulator.muted.add(batch.partition)
            flying = self.in_flight.setdefault(batch.partition, [])
            flying.append(batch)
            effects.append(Changed(self.client_id, f"in_flight.{batch.partition}",
                                   len(flying) - 1, len(flying), SEND_RULE, reads))
        return effects

    def _known(self, batches: list[ProducerBatch]) -> tuple:
        """What a request goes back to, for "why?"."""
        reads = [] if self.transactions is None else [(self.client_id, "producer_id")]
        for batch in batches:
            reads += [(self.client_id, f"accumulator.{batch.partition}"),
                      (self.client_id, f"leader.{batch.partition}")]
            if batch.attempts and batch.base_sequence >= 0:
                reads.append((self.client_id, f"in_flight.{batch.partition}"))
        return tuple(reads)

    def _state(self, batch: ProducerBatch, state: str | None, rule: str, reads: tuple
               ) -> list[Changed]:
        """None: the batch is gone."""
        old, batch.state = batch.state, state
        return self._told(f"batch_state.{batch.id}", old, state, rule, reads)

    def _land(self, batch: ProducerBatch, rule: str, reads: tuple) -> list[Changed]:
        """Let a batch end its flight; nothing where it did before."""
        flying = self.in_flight.get(batch.partition, [])
        if batch not in flying:
            return []
        flying.remove(batch)
        return [Changed(self.client_id, f"in_flight.{batch.partition}", len(flying) + 1,
                        len(flying), rule, reads)]

    # -- answers ------------------------------------------------------------------------------
    def handle_init_producer_id(self, body: Any, reads: tuple, now_ms: int) -> list:
        """A broker says who this producer is."""
        self._initializing = False
        if body.error == "NONE":
            before, sequences = self.transactions.producer, self.next_sequences()
            self.transactions.initialized(body.producer)
            return self._identity(before, IDENTITY_RULE, reads) + self._renumbered(sequences, reads)
        if issubclass(for_name(body.error), RetriableException):
            self._initialize_from_ms = now_ms + self.config["retry.backoff.ms"]
            return []
        error = for_name(body.error)()
        self.transactions.fatal(KafkaException(
            f"Unexpected error in InitProducerIdResponse; {error}"))
        return self.abort_batches(self.transactions.error, reads)

    def abort_batches(self, error: Exception, reads: tuple) -> list[Changed]:
        """Nothing that waits will ever be sent."""
        effects = []
        for batch in list(self.accumulator.incomplete.values()):
            waiting = self.accumulator.waiting(batch.partition)
            self.accumulator.queues[batch.partition].clear()
            effects += self._told(f"accumulator.{batch.partition}", waiting, 0, END_RULE, reads)
            effects += batch.complete_exceptionally(lambda _: error, reads)
            effects += self._deallocate(batch, reads)
        return effects

    def handle_produce(self, asked: InFlight, response: Response, broker: int, reads: tuple,
                       now_ms: int) -> list:
        """A leader tells what became of each batch."""
        latency_ms = now_ms - asked.sent_ms
        self._metrics["request-time"].record(latency_ms, now_ms)
        self._metrics["node.latency", f"node-{broker}"].record(latency_ms, now_ms)
        effects = []
        for batch, result in zip(asked.context, response.body.partitions):
            settled = result.error == "NONE" and not batch.done
            effects += self.network.update_leadership(result, reads)
            effects += self._complete(batch, result, reads, now_ms)
            if settled:
                self.network.settled(broker, (batch.records[-1].subject, "state"))
        return effects

    def handle_lost(self, broker: int, failed: list[InFlight], reads: tuple, now_ms: int,
                    timed_out: bool = False) -> list:
        """A connection is gone, or was given up: its batches may or may not be in a log."""
        effects, said = [], f"Disconnected from node {broker}"
        error, message = ("REQUEST_TIMED_OUT", f"{said} due to timeout") if timed_out else \
            ("NETWORK_EXCEPTION", said)
        for asked in failed:
            if isinstance(asked.request.body, InitProducerIdRequest):
                self._initializing = False
                self._initialize_from_ms = now_ms + self.config["retry.backoff.ms"]
            for batch in asked.context:
                effects += self._complete(
                    batch, PartitionProduceResponse(batch.partition, error, message=message),
                    ((asked.request.id, "asked"), *reads), now_ms, heard=False)
        return effects

    def _complete(self, batch: ProducerBatch, result: PartitionProduceResponse, reads: tuple,
                  now_ms: int, heard: bool = True) -> list[Changed]:
        """Complete, split, retry or fail a batch, as its answer says."""
        effects = self._land(batch, END_RULE, reads if heard else ())
        if result.error == "MESSAGE_TOO_LARGE" and len(batch.records) > 1 and not batch.done:
            effects += self._split(batch, reads, now_ms)
        elif result.error == "NONE":
            effects += self._written(batch, result, reads)
        elif self._can_retry(batch, result, now_ms):
            self._gap_reads = reads
            effects += self._retry(batch, result, reads, now_ms)
        elif result.error == "DUPLICATE_SEQUENCE_NUMBER":
            effects += self._written(batch, result, reads)
        else:
            self._gap_reads = reads
            effects += self._fail(batch, result, reads, now_ms)
        if result.error != "NONE" and issubclass(for_name(result.error), InvalidMetadataException):
            self.network.want_metadata(reads)
        self.accumulator.muted.discard(batch.partition)
        return effects

    def _written(self, batch: ProducerBatch, result: PartitionProduceResponse, reads: tuple
                 ) -> list[Changed]:
        if self.transactions is not None:
            self.transactions.completed(batch, result.base_offset)
        return batch.complete(result.base_offset, result.log_append_time_ms, reads) \
            + self._deallocate(batch, reads)

    def _deallocate(self, batch: ProducerBatch, reads: tuple) -> list[Changed]:
        """The batch is done, and its memory free."""
        before = self.accumulator.pool.available_bytes
        self.accumulator.deallocate(batch)
        return self._state(batch, None, END_RULE, reads) + self._told(
            "available_bytes", before, self.accumulator.pool.available_bytes, MEMORY_RULE, reads)

    def _can_retry(self, batch: ProducerBatch, result: PartitionProduceResponse, now_ms: int
                   ) -> bool:
        if batch.done or batch.attempts >= self.config["retries"] or \
                now_ms >= batch.created_ms + self._delivery_timeout_ms:
            return False
        if self.transactions is not None:
            return self.transactions.can_retry(result, batch)
        return issubclass(for_name(result.error), RetriableException)

    def _retry(self, batch: ProducerBatch, result: PartitionProduceResponse, reads: tuple,
               now_ms: int) -> list[Changed]:
        old, state = self.accumulator.waiting(batch.partition), batch.state
        self.accumulator.reenqueue(batch, self.network.retry_backoff_ms(batch.attempts), now_ms)
        self._metrics["record-retries"].record(len(batch.records), now_ms)
        rule = f"{result.error}: the batch goes back, and again after a back-off"
        return self._told(f"batch_state.{batch.id}", state, batch.state, rule, reads[:1]) + \
            self._told(f"accumulator.{batch.partition}", old, old + len(batch.records), rule, reads)

    def _split(self, batch: ProducerBatch, reads: tuple, now_ms: int) -> list[Changed]:
        if self.transactions is not None:
            self.transactions.entry(batch.partition).remove_in_flight(batch)
        old = self.accumulator.waiting(batch.partition)
        parts = self.accumulator.split_and_reenqueue(batch)
        self._metrics["batch-split-rate"].record(1, now_ms)
        rule = "MESSAGE_TOO_LARGE: the batch goes back in smaller ones"
        effects = self._deallocate(batch, reads)
        for part in parts:
            effects += self._told(f"batch_state.{part.id}", None, part.state, rule, reads)
        return effects + self._told(f"accumulator.{batch.partition}", old,
                                    old + len(batch.records), rule, reads)

    def _fail(self, batch: ProducerBatch, result: PartitionProduceResponse, reads: tuple,
              now_ms: int) -> list[Changed]:
        """Each record gets its own error where the answer names some (KIP-467)."""
        error = for_name(result.error)(result.message or "")
        one = len(result.record_errors) == 1
        named = {index: for_name(result.error if one else "INVALID_RECORD")(message or str(error))
                 for index, message in result.record_errors}
        other = error if not named else KafkaException(
            "Failed to append record because it was part of a batch which had one more more "
            "invalid records")
        adjust = batch.attempts < self.config["retries"]
        return self._fail_all(batch, error, lambda index: named.get(index, other), adjust, reads,
                              now_ms) + self._deallocate(batch, reads)

    def _fail_all(self, batch: ProducerBatch, error: Exception,
                  error_of: Callable[[int], Exception], adjust_sequences: bool, reads: tuple,
                  now_ms: int) -> list[Changed]:
        answered = batch.complete_exceptionally(error_of, reads)
        if not answered:
            return []
        if self.transactions is not None:
            self.transactions.failed(batch, error, adjust_sequences)
        self._metrics["errors"].record(len(batch.records), now_ms)
        return answered

    # -- time ---------------------------------------------------------------------------------
    def expire(self, now_ms: int) -> list[Changed]:
        """Fail what was not delivered within `delivery.timeout.ms`, waiting or in flight.

        What is in flight keeps its memory until its answer comes: it may still be read.
        """
        if not self.accumulator.incomplete:
            return []
        before_ms = now_ms - self._delivery_timeout_ms
        effects = []
        for batch in self.accumulator.expired(before_ms):
            left = self.accumulator.waiting(batch.partition)
            effects += self._told(f"accumulator.{batch.partition}", left + len(batch.records), left,
                                  EXPIRY_RULE, ())
            effects += self._give_up(batch, now_ms) + self._deallocate(batch, self._reads(batch))
        for flying in self.in_flight.values():
            for batch in [one for one in flying if one.created_ms <= before_ms]:
                effects += self._land(batch, EXPIRY_RULE, self._reads(batch))
                effects += self._give_up(batch, now_ms)
                effects += self._state(batch, "given up", EXPIRY_RULE, self._reads(batch))
        return effects

    def _reads(self, batch: ProducerBatch) -> tuple:
        return ((self.client_id, f"accumulator.{batch.partition}"),)

    def _give_up(self, batch: ProducerBatch, now_ms: int) -> list[Changed]:
        error = TimeoutException(
            f"Expiring {len(batch.records)} record(s) for {batch.partition}:"
            f"{now_ms - batch.created_ms} ms has passed since batch creation")
        effects = self._fail_all(batch, error, lambda _: error, False, self._reads(batch), now_ms)
        if self.transactions is not None and batch.attempts:
            self.transactions.mark_unresolved(batch)
            self._gap_reads = self._reads(batch)
        return effects

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When something lingers out, expires, or may be asked again."""
        due, timeout_ms = [self.network.next_deadline_ms(now_ms)], self._delivery_timeout_ms
        if self.accumulator.incomplete:             # else nothing waits, and nothing is in flight
            if first := [queue[0] for queue in self.accumulator.queues.values() if queue]:
                due.append(self.accumulator.next_deadline_ms(now_ms))
            for batch in first:
                due.append(batch.created_ms + timeout_ms)
                if known := self.network.leader_of(batch.partition):
                    due.append(self.network.reachable_from_ms(known.leader))
            for flying in self.in_flight.values():
                for batch in flying:
                    due.append(batch.created_ms + timeout_ms)
        if self.transactions is not None and self.transactions.state == "INITIALIZING" \
                and not self._initializing and self.network.topics:
            due.append(self._initialize_from_ms)
            due += [self.network.reachable_from_ms(broker) for broker in self.network.brokers]
        return min([ms for ms in due if ms is not None and ms > now_ms], default=None)
