"""AlterPartitionManager: takes changes of in-sync sets from leaders to the controller.

One request is in flight, with everything that waited when it left; what comes meanwhile waits for
its answer. A partition has one change under way. Nothing is given up: a change is asked for until
the controller has answered it, or until metadata has overtaken it, and then its leader does not
care for the answer any more (KIP-497).
"""

from collections.abc import Callable
from typing import NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.messages import Response
from kafka_internals.messages.alter_partition import (
    AlterPartitionData,
    AlterPartitionPartitionResponse,
    AlterPartitionRequest,
)
from kafka_internals.server.node_to_controller_channel_manager import (
    NodeToControllerChannelManager,
)

RULE = "AlterPartition: only the controller changes an ISR, one request at a time (KIP-497)"
RETRY_BACKOFF_MS = 50


class AlterPartitionItem(NamedTuple):
    """A change that waits for its answer; `answered(response, reads, now_ms)` gives effects."""

    data: AlterPartitionData
    answered: Callable[[AlterPartitionPartitionResponse, tuple, int], list]
    reads: tuple


class AlterPartitionManager:
    """`channel` carries its requests, and nothing else."""

    def __init__(self, broker: int, broker_epoch: Callable[[], int],
                 channel: NodeToControllerChannelManager) -> None:
        self.broker, self._broker_epoch, self.channel = broker, broker_epoch, channel
        self.unsent: dict[TopicPartition, AlterPartitionItem] = {}
        self._retry_ms: int | None = None

    def submit(self, item: AlterPartitionItem, now_ms: int) -> list:
        """Ask for a change. One that is asked for while another is under way is refused."""
        if item.data.partition in self.unsent:
            refused = AlterPartitionPartitionResponse(item.data.partition,
                                                      "OPERATION_NOT_ATTEMPTED")
            return item.answered(refused, (), now_ms)
        self.unsent[item.data.partition] = item
        return self._propagate(now_ms)

    def _propagate(self, now_ms: int) -> list:
        """Send everything that waits, unless a request is in flight."""
        if not self.unsent or not self.channel.is_free or self._retry_ms is not None:
            return []
        items = self.unsent.values()
        body = AlterPartitionRequest(self.broker, self._broker_epoch(),
                                     tuple(item.data for item in items))
        reads = dict.fromkeys(read for item in items for read in item.reads)
        return self.channel.send_request(body, RULE, tuple(reads), now_ms)

    def handle(self, response: Response, now_ms: int) -> list:
        """The controller has answered. What its answer leaves out is asked for again."""
        if (request := self.channel.handle(response, now_ms)) is None:
            return []
        if response.body.error != "NONE":
            self._retry_ms = now_ms + RETRY_BACKOFF_MS
            return []
        answers = {one.partition: one for one in response.body.partitions}
        effects, read = [], ((response.request_id, "answer"),)
        for data in request.body.partitions:
            if data.partition in answers:
                item = self.unsent.pop(data.partition)
                effects += item.answered(answers[data.partition], read, now_ms)
        return effects + self._propagate(now_ms)

    def tick(self, now_ms: int) -> list:
        """Ask again when it is time."""
        if not self.unsent:
            return []
        effects = self.channel.tick(now_ms)
        if self._retry_ms is None or now_ms < self._retry_ms:
            return effects
        self._retry_ms = None
        return effects + self._propagate(now_ms)

    def next_deadline_ms(self) -> int | None:
        """When `tick` has something to do."""
        if not self.unsent:                             # then the channel is free, too
            return None
        at_ms = self.channel.due_ms
        if self._retry_ms is None or at_ms is None:
            return self._retry_ms if at_ms is None else at_ms
        return min(at_ms, self._retry_ms)
