"""DelayedDeleteRecords: a DeleteRecords that waits until the followers' logs begin there, too.

It ends when the low watermark has reached the offset, when the partition is not led here any more,
or with REQUEST_TIMED_OUT after the client's `timeout_ms`; the leader's log begins there either way.
"""

from collections.abc import Callable
from typing import Any

from kafka_internals.common import TopicPartition, Wait
from kafka_internals.errors import ApiException
from kafka_internals.server.delayed_operation import DelayedOperation

RULE = "DeleteRecords: answered when every living replica begins there"


class DelayedDeleteRecords(DelayedOperation):
    """`waiting` maps each partition to (Partition, the offset where its log has to begin)."""

    kind = "DelayedDeleteRecords"

    def __init__(self, request: Any, deadline_ms: int, results: dict,
                 waiting: dict[TopicPartition, tuple], answer: Callable) -> None:
        super().__init__(request, deadline_ms)
        self._results, self._waiting, self._answer = results, waiting, answer

    def can_complete(self) -> bool:
        """No partition waits any more: its replicas begin there, or there is an error."""
        for name, (partition, offset) in list(self._waiting.items()):
            try:
                if (low := partition.low_watermark) < offset:
                    continue
                self._results[name] = self._results[name]._replace(low_watermark=low)
            except ApiException as error:
                self._results[name] = self._results[name]._replace(error=error.error_name)
            del self._waiting[name]
        return not self._waiting

    def complete(self, now_ms: int) -> list:
        """Answer; who is not there by the deadline gets REQUEST_TIMED_OUT."""
        for name in self._waiting:
            self._results[name] = self._results[name]._replace(error="REQUEST_TIMED_OUT")
        body = self.request.body.response(tuple(self._results.values()))
        return self._answer(self.request, body, RULE, ((self.subject, "state"),), now_ms)

    def waits(self) -> tuple[Wait, ...]:
        """The logs that begin too early."""
        return tuple(Wait("state", p.subject, "log_start_offset", offset, self.deadline_ms)
                     for p, offset in self._waiting.values())
