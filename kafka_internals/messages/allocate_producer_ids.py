"""AllocateProducerIds (key 67): a broker asks for a block of producer ids (KIP-730)."""

from typing import NamedTuple

from kafka_internals.messages.init_producer_id import ProducerIdsBlock


class AllocateProducerIdsRequest(NamedTuple):
    """From one broker, who says in which epoch of its own it asks."""

    broker_id: int
    broker_epoch: int

    def response(self, block: ProducerIdsBlock) -> "AllocateProducerIdsResponse":
        """The answer."""
        return AllocateProducerIdsResponse("NONE", block)

    def error_response(self, error: str, message: str) -> "AllocateProducerIdsResponse":
        """The answer where it is refused."""
        return AllocateProducerIdsResponse(error)

    def __str__(self) -> str:
        return f"a block of producer ids for broker {self.broker_id}"


class AllocateProducerIdsResponse(NamedTuple):
    """The block; None with an error."""

    error: str
    block: ProducerIdsBlock | None = None

    def __str__(self) -> str:
        return self.error if self.block is None else \
            f"producer ids {self.block}"
