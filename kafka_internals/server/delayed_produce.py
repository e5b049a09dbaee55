"""DelayedProduce: an acks=all produce that was appended and waits for the in-sync replicas.

It is answered when the high watermark of every partition has passed the batch's last offset, or
with REQUEST_TIMED_OUT after the client's `timeout_ms`; the records stay in the log either way and
may be committed later. A partition that is not led here any more has its error at once, and one
whose in-sync set has become too small meanwhile NOT_ENOUGH_REPLICAS_AFTER_APPEND.
"""

from collections.abc import Callable
from typing import Any

from kafka_internals.common import TopicPartition, Wait
from kafka_internals.errors import ApiException
from kafka_internals.server.delayed_operation import DelayedOperation

RULE = "acks=all: answered when the high watermark has passed the batch"


class DelayedProduce(DelayedOperation):
    """`waiting` maps each appended partition to (Partition, required high watermark)."""

    kind = "DelayedProduce"

    def __init__(self, request: Any, deadline_ms: int, results: dict,
                 waiting: dict[TopicPartition, tuple], answer: Callable) -> None:
        super().__init__(request, deadline_ms)
        self._results, self._waiting, self._answer = results, waiting, answer
        self._met: list[tuple] = []

    def can_complete(self) -> bool:
        """No partition waits any more: each has what its batch needs, or an error."""
        for name, (partition, end) in list(self._waiting.items()):
            try:
                if not partition.check_enough_replicas_reach_offset(end):
                    continue
            except ApiException as error:
                self._results[name] = self._results[name]._replace(error=error.error_name)
            self._met.append((partition, end))
            del self._waiting[name]
        return not self._waiting

    def complete(self, now_ms: int) -> list:
        """Answer; a partition that is not there by the deadline gets REQUEST_TIMED_OUT.

        It keeps its offset beside the error, as Kafka's does: the records are in the log.
        """
        for name in self._waiting:
            self._results[name] = self._results[name]._replace(error="REQUEST_TIMED_OUT")
        body = self.request.body.response(tuple(self._results.values()))
        reads = self.reads() if self.state == "COMPLETED" else ((self.subject, "state"),)
        return self._answer(self.request, body, RULE, reads, now_ms)

    def reads(self) -> tuple:
        """The marks, each as the change that first was enough."""
        return tuple([(p.subject, "high_watermark", end) for p, end in self._met])

    def parked_by(self) -> tuple:
        """Its batches are in the log, and the marks are not there yet."""
        return tuple([(p.subject, "log_end_offset", end) for p, end in self._waiting.values()])

    def waits(self) -> tuple[Wait, ...]:
        """The marks that are still too low."""
        return tuple(Wait("state", p.subject, "high_watermark", end, self.deadline_ms)
                     for p, end in self._waiting.values())
