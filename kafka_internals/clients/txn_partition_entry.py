"""TxnPartitionEntry: one partition's sequence numbers, as its idempotent producer keeps them.

A batch gets its first sequence when it leaves for the first time, and keeps it through every
retry: so the broker can tell a repeated batch from a new one (KIP-98).
"""

from kafka_internals.clients.producer_batch import ProducerBatch
from kafka_internals.messages.init_producer_id import NO_PRODUCER, ProducerIdAndEpoch
from kafka_internals.record_batch import increment_sequence

NO_SEQUENCE = -1
NO_OFFSET = -1


class TxnPartitionEntry:
    """`in_flight` holds every batch that has a sequence and no final answer, lowest first."""

    __slots__ = ("producer", "next_sequence", "last_acked_sequence", "last_acked_offset",
                 "in_flight")

    def __init__(self) -> None:
        self.producer = NO_PRODUCER
        self.next_sequence = 0
        self.last_acked_sequence, self.last_acked_offset = NO_SEQUENCE, NO_OFFSET
        self.in_flight: list[ProducerBatch] = []

    @property
    def first_in_flight_sequence(self) -> int:
        """Of the batch that has to be answered first; -1 where there is none."""
        return self.in_flight[0].base_sequence if self.in_flight else NO_SEQUENCE

    def stamp(self, batch: ProducerBatch) -> None:
        """Give a batch that leaves for the first time the next sequences."""
        batch.set_producer_state(self.producer, self.next_sequence)
        self.next_sequence = increment_sequence(self.next_sequence, len(batch.records))
        self.add_in_flight(batch)

    def add_in_flight(self, batch: ProducerBatch) -> None:
        """Remember a batch until it has its final answer."""
        self.in_flight.append(batch)
        self.in_flight.sort(key=_order)

    def remove_in_flight(self, batch: ProducerBatch) -> None:
        """It has its final answer."""
        if batch in self.in_flight:
            self.in_flight.remove(batch)

    def completed(self, batch: ProducerBatch, base_offset: int) -> None:
        """A batch is in the log."""
        self.last_acked_sequence = max(self.last_acked_sequence, batch.last_sequence)
        if base_offset != NO_OFFSET:
            self.last_acked_offset = max(self.last_acked_offset,
                                         base_offset + len(batch.records) - 1)
        self.remove_in_flight(batch)

    def start_sequences_at_beginning(self, producer: ProducerIdAndEpoch) -> None:
        """A new epoch counts from 0, and with it all that was not answered yet (KIP-360)."""
        self.producer, self.next_sequence = producer, 0
        for batch in self.in_flight:
            batch.reset_producer_state(producer, self.next_sequence)
            self.next_sequence += len(batch.records)
        self.last_acked_sequence = NO_SEQUENCE


def _order(batch: ProducerBatch) -> tuple:
    return *batch.producer, batch.base_sequence
