"""AlterPartitionManager: takes changes of in-sync sets from leaders to the controller.

One request is in flight, with everything that waited when it left; what comes meanwhile waits for
its answer. A partition has one change under way. Nothing is given up: a change is asked for until
the controller has answered it, or until metadata has overtaken it, and then its leader does not
care for the answer any more (KIP-497).
"""

from collections.abc import Callable
from typing import NamedTuple

from kafka_internals.common import Changed, Send, TopicPartition
from kafka_internals.messages import Request, Response
from kafka_internals.messages.alter_partition import (
    AlterPartitionData,
    AlterPartitionPartitionResponse,
    AlterPartitionRequest,
)

RULE = "AlterPartition: only the controller changes an ISR, one request at a time (KIP-497)"
RETRY_BACKOFF_MS = 50


class AlterPartitionItem(NamedTuple):
    """A change that waits for its answer; `answered(response, reads, now_ms)` gives effects."""

    data: AlterPartitionData
    answered: Callable[[AlterPartitionPartitionResponse, tuple, int], list]
    reads: tuple


class AlterPartitionManager:
    """`controller()` is the node to ask, None while nobody knows one."""

    def __init__(self, broker: int, broker_epoch: Callable[[], int],
                 controller: Callable[[], int | None],
                 next_correlation_id: Callable[[], int]) -> None:
        self.broker, self._broker_epoch, self._controller = broker, broker_epoch, controller
        self._next_correlation_id = next_correlation_id
        self._unsent: dict[TopicPartition, AlterPartitionItem] = {}
        self._in_flight: Request | None = None
        self._retry_ms: int | None = None

    def submit(self, item: AlterPartitionItem, now_ms: int) -> list:
        """Ask for a change. One that is asked for while another is under way is refused."""
        if item.data.partition in self._unsent:
            refused = AlterPartitionPartitionResponse(item.data.partition,
                                                      "OPERATION_NOT_ATTEMPTED")
            return item.answered(refused, (), now_ms)
        self._unsent[item.data.partition] = item
        return self._propagate(now_ms)

    def _propagate(self, now_ms: int) -> list:
        """Send everything that waits, unless a request is in flight."""
        if not self._unsent or self._in_flight is not None or self._retry_ms is not None:
            return []
        if (controller := self._controller()) is None:
            self._retry_ms = now_ms + RETRY_BACKOFF_MS
            return []
        items = self._unsent.values()
        body = AlterPartitionRequest(self.broker, self._broker_epoch(),
                                     tuple(item.data for item in items))
        request = self._in_flight = Request.of(f"broker-{self.broker}-alter-partition",
                                               self._next_correlation_id(), body)
        reads = dict.fromkeys(read for item in items for read in item.reads)
        return [Changed(request.id, "asked", None, str(body), RULE, tuple(reads)),
                Send(controller, request)]

    def handle(self, response: Response, now_ms: int) -> list:
        """The controller has answered. What its answer leaves out is asked for again."""
        if self._in_flight is None or response.request_id != self._in_flight.id:
            return []
        sent, self._in_flight = self._in_flight.body, None
        if response.body.error != "NONE":
            return self.retry_later(now_ms)
        answers = {one.partition: one for one in response.body.partitions}
        effects, read = [], ((response.request_id, "answer"),)
        for data in sent.partitions:
            if data.partition in answers:
                item = self._unsent.pop(data.partition)
                effects += item.answered(answers[data.partition], read, now_ms)
        return effects + self._propagate(now_ms)

    def retry_later(self, now_ms: int) -> list:
        """Nobody answered, or not this time: the controller may be another one by then."""
        self._in_flight, self._retry_ms = None, now_ms + RETRY_BACKOFF_MS
        return []

    def tick(self, now_ms: int) -> list:
        """Ask again when it is time."""
        if self._retry_ms is None or now_ms < self._retry_ms:
            return []
        self._retry_ms = None
        return self._propagate(now_ms)

    def next_deadline_ms(self) -> int | None:
        """When `tick` has something to do."""
        return self._retry_ms
