"""ProducerIdManager: gives every new producer a number that no other has (KIP-730).

A broker does not ask the controller each time, but for 1,000 numbers at once, and for the next
block when nine tenths of one are used up. While it waits for one, producers are told to ask again
(RPCProducerIdManager).
"""

from collections.abc import Callable

from kafka_internals.common import Changed, broker_name
from kafka_internals.messages import Response
from kafka_internals.messages.allocate_producer_ids import AllocateProducerIdsRequest
from kafka_internals.messages.init_producer_id import BLOCK_SIZE, ProducerIdsBlock
from kafka_internals.server.node_to_controller_channel_manager import (
    NodeToControllerChannelManager,
)

PREFETCH_AT = BLOCK_SIZE * 9 // 10
RETRY_BACKOFF_MS = 50
RULE = "no producer id is given twice: a broker has blocks of 1,000 for its own (KIP-730)"


class ProducerIdManager:
    """One broker's numbers; `blocks` are those that it may give from, the one in use first."""

    def __init__(self, broker: int, broker_epoch: Callable[[], int],
                 channel: NodeToControllerChannelManager) -> None:
        self._broker, self._broker_epoch, self.channel = broker, broker_epoch, channel
        self._subject = broker_name(broker)
        self._not_before_ms: int | None = None
        self.blocks: tuple[ProducerIdsBlock, ...] = ()
        self.next_producer_id: int | None = None

    @property
    def _not_begun(self) -> tuple[ProducerIdsBlock, ...]:
        return self.blocks[self.next_producer_id is not None:]

    def maybe_request_next_block(self, now_ms: int) -> list:
        """Ask for one, unless that is done, or failed a moment ago."""
        is_too_early = self._not_before_ms is not None and now_ms < self._not_before_ms
        if self._not_begun or not self.channel.is_free or is_too_early:
            return []
        body = AllocateProducerIdsRequest(self._broker, self._broker_epoch())
        reads = ((self._subject, "next_producer_id"), (self._subject, "producer_id_blocks"))
        return self.channel.send_request(body, RULE, reads, now_ms)

    def handle(self, response: Response, now_ms: int) -> list:
        """The controller has answered; after a refusal whoever needs a number asks again."""
        if self.channel.handle(response, now_ms) is None:
            return []
        if response.body.error != "NONE":
            self._not_before_ms = now_ms + RETRY_BACKOFF_MS
            return []
        return self.block_arrived(response.body.block, ((response.request_id, "answer"),))

    def block_arrived(self, block: ProducerIdsBlock, reads: tuple = ()) -> list:
        """From now on this broker may give these numbers."""
        return self._has((*self.blocks, block), reads)

    def _has(self, blocks: tuple[ProducerIdsBlock, ...], reads: tuple) -> list:
        old, self.blocks = self.blocks, blocks
        return [Changed(self._subject, "producer_id_blocks", old, blocks, RULE, reads)]

    def generate_producer_id(self, asked: tuple, now_ms: int) -> tuple[int | None, list]:
        """The next number, None while there is none; and what that changes, or asks for."""
        number, effects = self.next_producer_id, []
        if number is None or number == self.blocks[0].after_last:
            if not (left := self._not_begun):
                return None, self.maybe_request_next_block(now_ms)
            effects = self._has(left, asked) if left != self.blocks else []
            number = left[0].first
        effects.append(Changed(self._subject, "next_producer_id", self.next_producer_id,
                               number + 1, RULE, (*asked, (self._subject, "producer_id_blocks"))))
        self.next_producer_id = number + 1
        if number == self.blocks[0].first + PREFETCH_AT:
            effects += self.maybe_request_next_block(now_ms)
        return number, effects
