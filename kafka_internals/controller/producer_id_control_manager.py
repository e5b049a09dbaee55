"""ProducerIdControlManager: the controller's part in it, blocks of producer ids for brokers.

Kafka's gives the next block to whoever asks first, and writes that into the metadata log. As long
as there is no controller, each broker has every n-th block for its own, so that no broker has to
know what another one asked.
"""

from kafka_internals.messages.init_producer_id import BLOCK_SIZE, ProducerIdsBlock


class ProducerIdControlManager:
    """What each of the brokers was given so far."""

    def __init__(self, brokers: tuple[int, ...]) -> None:
        self._brokers = brokers
        self._next_block = {broker: number for number, broker in enumerate(brokers)}

    def generate_next_producer_id(self, broker: int) -> ProducerIdsBlock:
        """The broker's next block; it never gets one twice, not even after a restart."""
        number = self._next_block[broker]
        self._next_block[broker] += len(self._brokers)
        return ProducerIdsBlock(number * BLOCK_SIZE)
