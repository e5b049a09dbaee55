"""InitProducerId (key 22): a producer asks for the number under which it numbers its batches.

Without a transactional id any broker answers it (KIP-98), with the next number of a block that
the controller gave that broker for its own, and epoch 0. A later epoch of the same number is the
client's own doing (KIP-360).
"""

from typing import NamedTuple

from kafka_internals.messages import throttled


class ProducerIdAndEpoch(NamedTuple):
    """Who numbers a batch. Both are -1 where nobody does."""

    producer_id: int = -1
    producer_epoch: int = -1

    @property
    def is_valid(self) -> bool:
        """True for a number that a broker has given."""
        return self.producer_id >= 0


NO_PRODUCER = ProducerIdAndEpoch()
BLOCK_SIZE = 1_000


class ProducerIdsBlock(NamedTuple):
    """Numbers from `first` on that the controller gave to one broker (AllocateProducerIds)."""

    first: int
    size: int = BLOCK_SIZE

    @property
    def after_last(self) -> int:
        """The number behind the block."""
        return self.first + self.size

    def __str__(self) -> str:
        return f"{self.first} to {self.after_last - 1}"


class InitProducerIdRequest(NamedTuple):
    """`transactional_id` is None for a producer that is only idempotent; -1 asks for a new id."""

    transactional_id: str | None
    transaction_timeout_ms: int
    producer_id: int = -1
    producer_epoch: int = -1

    def response(self, error: str, given: ProducerIdAndEpoch) -> "InitProducerIdResponse":
        """The answer."""
        return InitProducerIdResponse(error, given)

    def __str__(self) -> str:
        return "a producer id"


class InitProducerIdResponse(NamedTuple):
    """The number and its epoch; with an error both are -1."""

    error: str
    producer: ProducerIdAndEpoch
    throttle_time_ms: int = 0

    def __str__(self) -> str:
        told = self.error if self.error != "NONE" else \
            f"producer id {self.producer.producer_id}, epoch {self.producer.producer_epoch}"
        return told + throttled(self.throttle_time_ms)
