"""DelayedFetch: a fetch that found less than `min_bytes` and waits for more.

It is completed when the bytes that could be read, at most `partition_max_bytes` of each partition,
reach `min_bytes`, or after `max_wait_ms`. Either way the log is read again then, and whatever is
there is the answer: a fetch that runs out of time is empty, never an error.
"""

from typing import Any

from kafka_internals.common import Wait
from kafka_internals.server.delayed_operation import DelayedOperation


class DelayedFetch(DelayedOperation):
    """The replica manager reads again when the time has come."""

    kind = "DelayedFetch"

    def __init__(self, request: Any, deadline_ms: int, manager: Any) -> None:
        super().__init__(request, deadline_ms)
        self._manager = manager
        self._by_replica = request.body.replica_id >= 0

    def _asked(self):
        for asked in self.request.body.partitions:
            yield asked, self._manager.partitions[asked.partition]

    def can_complete(self) -> bool:
        """Enough bytes lie between the fetch offsets and the end that this reader may see.

        A fetch past that end is answered at once: it cannot tell a lagging mark from a cut log.
        """
        available, partitions = 0, self._manager.partitions
        for asked in self.request.body.partitions:
            partition = partitions[asked.partition]
            end = partition.readable_end(self._by_replica)
            if asked.fetch_offset > end:
                return True
            if asked.fetch_offset < end:
                available += min(partition.log.bytes_between(asked.fetch_offset, end),
                                 asked.partition_max_bytes)
        return self.request.body.is_enough(available)

    def complete(self, now_ms: int) -> list:
        """Read again and answer."""
        return self._manager.answer_fetch(self.request, self._manager.read(self.request.body))

    def reads(self) -> tuple:
        """The ends that are not the fetch offsets, as they are now: before, they did not do."""
        return tuple((p.subject, p.readable_attribute(self._by_replica))
                     for asked, p in self._asked()
                     if p.readable_end(self._by_replica) != asked.fetch_offset)

    def waits(self) -> tuple[Wait, ...]:
        """One partition's end that grows, past the offset asked for, may be enough."""
        return tuple(Wait("state", p.subject, p.readable_attribute(self._by_replica),
                          p.readable_end(self._by_replica) + 1, self.deadline_ms, any_of=True)
                     for _, p in self._asked())
