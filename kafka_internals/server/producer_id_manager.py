"""ProducerIdManager: gives every new producer a number that no other has.

A broker does not ask the controller each time, but for 1,000 numbers at once (KIP-730), and for the
next block when nine tenths of one are used up. While it waits for one, producers are told to ask
again.
"""

from collections.abc import Callable

from kafka_internals.errors import CoordinatorLoadInProgressException
from kafka_internals.messages.init_producer_id import BLOCK_SIZE, ProducerIdsBlock

PREFETCH_AT = BLOCK_SIZE * 9 // 10


class ProducerIdManager:
    """One broker's numbers.

    `request_block()` asks the controller: it gives a block, or None where that will be handed in
    later, by `block_arrived()`.
    """

    def __init__(self, request_block: Callable[[], ProducerIdsBlock | None]) -> None:
        self._request_block = request_block
        self._block: ProducerIdsBlock | None = None
        self._next_block: ProducerIdsBlock | None = None
        self._asked = False
        self.next_producer_id: int | None = None

    def block_arrived(self, block: ProducerIdsBlock) -> None:
        """The controller's answer."""
        self._next_block, self._asked = block, False

    def _maybe_request_next_block(self) -> None:
        if self._next_block is None and not self._asked:
            self._asked = True
            if (block := self._request_block()) is not None:
                self.block_arrived(block)

    def generate_producer_id(self) -> int:
        """The next number. CoordinatorLoadInProgressException while there is none."""
        if self._block is None or self.next_producer_id == self._block.after_last:
            self._maybe_request_next_block()
            if self._next_block is None:
                raise CoordinatorLoadInProgressException(
                    "Producer ID block is full. Waiting for next block")
            self._block, self._next_block = self._next_block, None
            self.next_producer_id = self._block.first
        given = self.next_producer_id
        self.next_producer_id += 1
        if given == self._block.first + PREFETCH_AT:
            self._maybe_request_next_block()
        return given
