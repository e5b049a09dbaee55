"""DelayedFetch: a fetch that found less than `min_bytes` and waits for more.

Kafka's cases. A to E: a partition is not led here any more, is gone, unknown, offline, or its
leader epoch is another. F: its fetch offset is past the end, or has fallen behind the segment in
which the log ends. G: the bytes that could be read, at most `partition_max_bytes` of each
partition, reach `min_bytes`. H: this log was cut, and the follower's parts from it now. Otherwise
`max_wait_ms` passes. Either way the log is read again then, and whatever is there is the answer: a
fetch that runs out of time is empty, never an error.
"""

from typing import Any

from kafka_internals.common import Wait
from kafka_internals.errors import ApiException
from kafka_internals.server.delayed_operation import DelayedOperation


class DelayedFetch(DelayedOperation):
    """The replica manager reads again when the time has come."""

    kind = "DelayedFetch"

    def __init__(self, request: Any, deadline_ms: int, manager: Any) -> None:
        super().__init__(request, deadline_ms)
        self._manager, self.min_bytes = manager, request.body.min_bytes
        self._by_replica = request.body.replica_id >= 0
        self._segments = [manager.partitions[asked.partition].log.segment_base_of(
            asked.fetch_offset) for asked in request.body.partitions]
        self._committed_only = request.body.committed_only

    def _asked(self) -> list[tuple]:
        partitions = self._manager.partitions
        return [(asked, partitions[asked.partition]) for asked in self.request.body.partitions
                if asked.partition in partitions]

    def _end_of(self, partition: Any) -> int:
        return partition.readable_end(self._by_replica, self._committed_only)

    def can_complete(self) -> bool:
        """Any of the cases. A segment is the one in which the fetch offset lay when it was parked.

        An offset that is the end has fallen behind nothing, although a roll may have put the end
        into a new segment.
        """
        available, partitions, by_replica = 0, self._manager.partitions, self._by_replica
        for asked, began_in in zip(self.request.body.partitions, self._segments):
            if asked.partition not in partitions:
                return True
            offset, partition = asked.fetch_offset, partitions[asked.partition]
            try:
                ensure = partition.ensure_leader if by_replica else partition.ensure_epoch
                ensure(asked.current_leader_epoch)
                if partition.diverging_epoch(offset, asked.last_fetched_epoch) is not None:
                    return True
            except ApiException:
                return True
            end = partition.readable_end(by_replica, self._committed_only)
            if offset > end:
                return True
            if offset < end:
                if began_in < partition.log.segment_base_of(end):
                    return True
                available += min(partition.log.bytes_between(offset, end),
                                 asked.partition_max_bytes)
        return self.request.body.is_enough(available)

    def complete(self, now_ms: int) -> list:
        """Read again and answer; the fetch was counted when it came, and is not again."""
        return self._manager.answer_fetch(
            self.request, self._manager.read(self.request.body, now_ms), now_ms)

    def reads(self) -> tuple:
        """The ends that are not the fetch offsets, as they are now: before, they did not do."""
        return tuple([(p.subject, p.readable_attribute(self._by_replica))
                      for asked, p in self._asked() if self._end_of(p) != asked.fetch_offset])

    def parked_by(self) -> tuple:
        """Its replicas are here; a follower is parked by a leader only."""
        return tuple([(self._manager.partitions[asked.partition].subject, "role")
                      for asked in self.request.body.partitions])

    def waits(self) -> tuple[Wait, ...]:
        """One partition's end that grows, past the offset asked for, may be enough."""
        return tuple(Wait("state", p.subject, p.readable_attribute(self._by_replica),
                          self._end_of(p) + 1, self.deadline_ms, any_of=True)
                     for _, p in self._asked())
