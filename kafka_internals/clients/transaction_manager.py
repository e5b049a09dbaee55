"""TransactionManager, the part of an idempotent producer: who it is and what it may number next.

Without transactions it only asks for a producer id before the first batch. When a gap in the
sequences of a partition cannot be closed, it goes on under the next epoch, counting from 0 again,
without asking anybody (KIP-360); what is in flight to that partition is numbered anew.
"""

from kafka_internals.clients.producer_batch import ProducerBatch
from kafka_internals.clients.txn_partition_entry import NO_OFFSET, NO_SEQUENCE, TxnPartitionEntry
from kafka_internals.common import TopicPartition
from kafka_internals.errors import OutOfOrderSequenceException, RetriableException, for_name
from kafka_internals.messages.init_producer_id import NO_PRODUCER, ProducerIdAndEpoch
from kafka_internals.messages.produce import PartitionProduceResponse

MAX_EPOCH = 0x7FFF

# fmt: off
TRANSITIONS = {
    ("UNINITIALIZED", "no producer id"):       "INITIALIZING",
    ("INITIALIZING",  "producer id given"):    "READY",
    ("INITIALIZING",  "producer id refused"):  "FATAL_ERROR",
    ("READY",         "last epoch is over"):   "UNINITIALIZED",
}
# fmt: on


class TransactionManager:
    """The identity of one idempotent producer, and the sequences of each partition."""

    def __init__(self) -> None:
        self.state, self.producer = "UNINITIALIZED", NO_PRODUCER
        self.error: Exception | None = None             # why it will never send again
        self.entries: dict[TopicPartition, TxnPartitionEntry] = {}
        self._unresolved: dict[TopicPartition, int] = {}     # and the sequence after the gap
        self._to_rewrite: dict[TopicPartition, None] = {}    # partitions that asked for an epoch

    def _on(self, event: str) -> None:
        self.state = TRANSITIONS[self.state, event]

    def entry(self, partition: TopicPartition) -> TxnPartitionEntry:
        """The sequences of a partition."""
        if partition not in self.entries:
            self.entries[partition] = TxnPartitionEntry()
        return self.entries[partition]

    # -- who it is ----------------------------------------------------------------------------
    def begin_initializing(self) -> None:
        """A producer id is about to be asked for."""
        self._on("no producer id")

    def initialized(self, producer: ProducerIdAndEpoch) -> None:
        """A broker gave a producer id."""
        self._on("producer id given")
        self.producer = producer
        self._rewrite()

    def fatal(self, error: Exception) -> None:
        """No broker will ever give one."""
        self._on("producer id refused")
        self.error = error

    def bump_epoch(self) -> None:
        """Go on under the next epoch."""
        if self.producer.producer_epoch == MAX_EPOCH:
            self._on("last epoch is over")              # a new producer id begins at epoch 0
            self.producer = NO_PRODUCER
        else:
            self.producer = ProducerIdAndEpoch(self.producer.producer_id,
                                               self.producer.producer_epoch + 1)
            self._rewrite()

    def _rewrite(self) -> None:
        for partition in self._to_rewrite:
            self.entry(partition).start_sequences_at_beginning(self.producer)
            self._unresolved.pop(partition, None)
        self._to_rewrite.clear()

    def _request_epoch_bump(self, partition: TopicPartition) -> None:
        self._to_rewrite[partition] = None

    # -- what may leave -----------------------------------------------------------------------
    def must_wait(self, batch: ProducerBatch) -> bool:
        """True where the first batch of a partition's queue may not leave yet.

        A new one waits while others are in flight under an older epoch, or while nobody knows
        whether a batch that was given up is in the log. One that is tried again waits until every
        lower sequence has its answer: so recovery has one batch in flight at a time.
        """
        if not self.producer.is_valid:
            return True
        entry = self.entry(batch.partition)
        if batch.base_sequence == NO_SEQUENCE:
            stale = bool(entry.in_flight) and entry.producer != self.producer
            return stale or batch.partition in self._unresolved
        return bool(entry.in_flight) and batch.base_sequence != entry.first_in_flight_sequence

    def stamp(self, batch: ProducerBatch) -> None:
        """Number a batch that leaves for the first time, under the present epoch."""
        entry = self.entry(batch.partition)
        if entry.producer != self.producer:
            entry.start_sequences_at_beginning(self.producer)
        entry.stamp(batch)

    # -- answers ------------------------------------------------------------------------------
    def can_retry(self, result: PartitionProduceResponse, batch: ProducerBatch) -> bool:
        """True where the batch may be sent again; an epoch is asked for where it needs one."""
        partition = batch.partition
        if result.error == "UNKNOWN_PRODUCER_ID":
            if result.log_start_offset != NO_OFFSET and not batch.sequence_was_reset:
                self._request_epoch_bump(partition)
            return True
        if result.error == "OUT_OF_ORDER_SEQUENCE_NUMBER":
            unresolved = partition in self._unresolved
            earlier_open = batch.sequence_was_reset or not self._is_next(
                partition, batch.base_sequence)
            if not (earlier_open and not unresolved) and (
                    not unresolved or self._unresolved[partition] == batch.base_sequence):
                self._request_epoch_bump(partition)
            return True
        return issubclass(for_name(result.error), RetriableException)

    def _is_next(self, partition: TopicPartition, sequence: int) -> bool:
        return sequence - self.entry(partition).last_acked_sequence == 1

    def completed(self, batch: ProducerBatch, base_offset: int) -> None:
        """A batch is in the log."""
        self.entry(batch.partition).completed(batch, base_offset)

    def failed(self, batch: ProducerBatch, error: Exception, adjust_sequences: bool) -> None:
        """A batch is given up; the gap that it leaves needs a new epoch if it was refused."""
        self.entry(batch.partition).remove_in_flight(batch)
        if isinstance(error, OutOfOrderSequenceException) or adjust_sequences:
            self._request_epoch_bump(batch.partition)

    def mark_unresolved(self, batch: ProducerBatch) -> None:
        """A batch that had been sent was given up: it may be in the log or not."""
        following = batch.last_sequence + 1
        self._unresolved[batch.partition] = max(self._unresolved.get(batch.partition, following),
                                                following)

    def resolve_sequences(self) -> bool:
        """Where nothing is in flight any more: all is in the log, or a new epoch begins.

        True where a partition has to go on under another epoch, and now it may.
        """
        for partition in list(self._unresolved):
            entry = self.entry(partition)
            if not entry.in_flight:
                if not self._is_next(partition, entry.next_sequence):
                    self._request_epoch_bump(partition)
                del self._unresolved[partition]
        return bool(self._to_rewrite) and self.state == "READY"
