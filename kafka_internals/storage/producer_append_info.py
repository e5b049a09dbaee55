"""ProducerAppendInfo: whether a producer's batch may be appended, decided before it is written.

The rules are those of idempotence and transactions on the side of the partition (KIP-98, KIP-360,
KIP-890, KIP-1228): no epoch older than the one known, no gap in the sequence numbers, nothing
outside of an open transaction. They hold for what clients and coordinators send. What comes by
replication was decided by the leader and is only taken over.
"""

from kafka_internals.common import TopicPartition
from kafka_internals.errors import (
    InvalidProducerEpochException,
    InvalidTxnStateException,
    OutOfOrderSequenceException,
    TransactionCoordinatorFencedException,
)
from kafka_internals.record_batch import TRANSACTIONAL, BatchHeader
from kafka_internals.storage.append_origin import AppendOrigin
from kafka_internals.storage.producer_state_entry import (
    NO_PRODUCER_EPOCH,
    CompletedTxn,
    ProducerStateEntry,
    TxnMetadata,
    VerificationStateEntry,
    in_sequence,
)

LAST_EPOCH = 0x7FFF                           # a producer with it cannot be given a higher one


class ProducerAppendInfo:
    """The batches of one producer in one append. Nothing is known of them before `update`.

    `entry` is the producer as it will be, `started` the transactions that these batches begin.
    """

    __slots__ = ("partition", "origin", "entry", "started", "is_transactional", "_before",
                 "_verification")

    def __init__(self, partition: TopicPartition, before: ProducerStateEntry, origin: AppendOrigin,
                 verification: VerificationStateEntry | None = None) -> None:
        self.partition, self.origin, self._verification = partition, origin, verification
        self.entry = self._before = before
        self.started: list[TxnMetadata] = []
        self.is_transactional = False

    def append_data_batch(self, header: BatchHeader) -> None:
        """Take a batch of data whose offsets are final.

        Errors, in this order: InvalidProducerEpochException, OutOfOrderSequenceException,
        InvalidTxnStateException (a plain batch while a transaction is open).
        """
        if header.producer_epoch < self.entry.producer_epoch:
            self._refuse_epoch(header)
        if self.origin is AppendOrigin.CLIENT:
            self._check_sequence(header)
        open_since = self.entry.current_txn_first_offset
        is_transactional = header.attributes & TRANSACTIONAL != 0
        if open_since is not None and not is_transactional:
            raise InvalidTxnStateException(
                f"Expected transactional write from producer {header.producer_id} at offset "
                f"{header.base_offset} in partition {self.partition}: its transaction is open "
                f"since offset {open_since}")
        self.entry = self.entry.with_batch(header)
        if open_since is None and is_transactional:
            self.entry = self.entry._replace(current_txn_first_offset=header.base_offset)
            self.started.append(TxnMetadata(header.producer_id, header.base_offset))
        self.is_transactional |= is_transactional

    def append_end_txn_marker(self, header: BatchHeader, is_aborted: bool, coordinator_epoch: int,
                              transaction_version: int = 0) -> CompletedTxn | None:
        """Take a marker: its batch's header, what it decides, and the epoch of who wrote it.

        None where no transaction was open. Errors: InvalidProducerEpochException,
        TransactionCoordinatorFencedException.
        """
        if self._is_stale_marker(header.producer_epoch, transaction_version):
            self._refuse_epoch(header)
        if coordinator_epoch < self.entry.coordinator_epoch \
                and self.origin is not AppendOrigin.REPLICATION:
            raise TransactionCoordinatorFencedException(
                f"Invalid coordinator epoch for producerId {header.producer_id} at offset "
                f"{header.base_offset} in partition {self.partition}: {coordinator_epoch} "
                f"(zombie), {self.entry.coordinator_epoch} (current)")
        first_offset = self.entry.current_txn_first_offset
        self.entry = self.entry.of_epoch(header.producer_epoch)._replace(
            coordinator_epoch=coordinator_epoch, last_timestamp=header.max_timestamp,
            current_txn_first_offset=None)
        self.is_transactional = True
        if first_offset is None:
            return None
        return CompletedTxn(header.producer_id, first_offset, header.base_offset, is_aborted)

    def _is_stale_marker(self, epoch: int, transaction_version: int) -> bool:
        # With version 2 each transaction has an epoch of its own, so that a marker which comes
        # late cannot end the next one; a retry after the end is harmless.
        known = self.entry.producer_epoch
        if transaction_version < 2 or epoch == LAST_EPOCH:
            return epoch < known
        return epoch < known or \
            epoch == known and self.entry.current_txn_first_offset is not None

    def _refuse_epoch(self, header: BatchHeader) -> None:
        if self.origin is not AppendOrigin.REPLICATION:
            raise InvalidProducerEpochException(
                f"Epoch of producer {header.producer_id} at offset {header.base_offset} in "
                f"{self.partition} is {header.producer_epoch}, which is smaller than the last "
                f"seen epoch {self.entry.producer_epoch}, or not larger where it has to be")

    def _check_sequence(self, header: BatchHeader) -> None:
        sequence, entry, asked = header.base_sequence, self.entry, self._verification
        unknown = self._before.producer_epoch == NO_PRODUCER_EPOCH
        if asked is not None:
            if asked.supports_epoch_bump and sequence != 0 and unknown:
                self._out_of_order(header, "0 (the first of a producer that is not known here)")
            if sequence > asked.lowest_sequence:
                self._out_of_order(header,
                                   f"{asked.lowest_sequence} (earliest seen sequence number)")
        if header.producer_epoch != entry.producer_epoch:
            if sequence != 0 and entry.producer_epoch != NO_PRODUCER_EPOCH:
                self._out_of_order(header, f"0 (the first of epoch {header.producer_epoch}, after "
                                           f"{entry.producer_epoch})")
        elif not unknown and not in_sequence(entry.last_sequence, sequence):
            self._out_of_order(header, f"{entry.last_sequence} (current end sequence number)")

    def _out_of_order(self, header: BatchHeader, against: str) -> None:
        raise OutOfOrderSequenceException(
            f"Out of order sequence number for producer {header.producer_id} at offset "
            f"{header.base_offset} in partition {self.partition}: {header.base_sequence} "
            f"(incoming seq. number), {against}")
