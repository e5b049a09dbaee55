"""DelayedProduce: an acks=all produce that was appended and waits for the in-sync replicas.

It is answered when the high watermark of every partition has passed the batch's last offset, or
with REQUEST_TIMED_OUT after the client's `timeout_ms`; the records stay in the log either way and
may be committed later.
"""

from collections.abc import Callable
from typing import Any

from kafka_internals.common import TopicPartition, Wait
from kafka_internals.server.delayed_operation import DelayedOperation

RULE = "acks=all: answered when the high watermark has passed the batch"


class DelayedProduce(DelayedOperation):
    """`waiting` maps each appended partition to (Partition, required high watermark)."""

    kind = "DelayedProduce"

    def __init__(self, request: Any, deadline_ms: int, results: dict,
                 waiting: dict[TopicPartition, tuple], answer: Callable) -> None:
        super().__init__(request, deadline_ms)
        self._results, self._waiting, self._answer = results, waiting, answer

    def can_complete(self) -> bool:
        """Every partition's high watermark has reached what its batch needs."""
        return all(p.high_watermark >= end for p, end in self._waiting.values())

    def complete(self, now_ms: int) -> list:
        """Answer; a partition that is not there by the deadline gets REQUEST_TIMED_OUT.

        It keeps its offset beside the error, as Kafka's does: the records are in the log.
        """
        for name, (partition, end) in self._waiting.items():
            if partition.high_watermark < end:
                self._results[name] = self._results[name]._replace(error="REQUEST_TIMED_OUT")
        body = self.request.body.response(tuple(self._results.values()))
        reads = self.reads() if self.state == "COMPLETED" else ((self.subject, "state"),)
        return self._answer(self.request, body, RULE, reads)

    def reads(self) -> tuple:
        """The marks, each as the change that first was enough."""
        return tuple((p.subject, "high_watermark", end) for p, end in self._waiting.values())

    def waits(self) -> tuple[Wait, ...]:
        """The marks that are still too low."""
        return tuple(Wait("state", p.subject, "high_watermark", end, self.deadline_ms)
                     for p, end in self._waiting.values() if p.high_watermark < end)
