"""BuiltInPartitioner: where records go that do not care, one partition until `batch.size` went.

It changes only between two batches, or at twice the size (KIP-480, KIP-794). Which one is next is
luck: among the partitions with a leader all alike or, where their queues differ in length, the more
likely the shorter the queue is. So a slow broker gets less, although nobody measures it.
"""

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from kafka_internals.byte_utils import murmur2


def partition_for_key(key: bytes, partitions: int) -> int:
    """The partition of a key, among all of the topic's, those without a leader included."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


class BuiltInPartitioner:
    """The sticky choice of one topic. `partition` is None before its first record."""

    def __init__(self, topic: str, batch_size: int, draw: Callable[[int], int]) -> None:
        self.topic = topic
        self._batch_size, self._draw = batch_size, draw
        self.partition: int | None = None
        self._produced_bytes = 0
        self._cumulative: list[int] | None = None            # weights, added up; None: all alike
        self._weighed: list[int] = []                        # the partitions that they belong to

    def peek(self, cluster: Any) -> int:
        """The partition that is stuck to now."""
        if self.partition is None:
            self.partition = self._next(cluster)
        return self.partition

    def _next(self, cluster: Any) -> int:
        if self._cumulative is None:
            available = cluster.available_partitions(self.topic)
            return available[self._draw(len(available))] if available else \
                self._draw(cluster.partition_counts[self.topic])
        return self._weighed[bisect_right(self._cumulative, self._draw(self._cumulative[-1]))]

    @property
    def uses_load(self) -> bool:
        """True where queues of different length make the next choice."""
        return self._cumulative is not None

    def update(self, appended_bytes: int, cluster: Any, may_switch: bool) -> bool:
        """Count what went there; True where it was enough and another one is stuck to now."""
        self._produced_bytes += appended_bytes
        enough = self._produced_bytes >= self._batch_size and may_switch
        if not enough and self._produced_bytes < 2 * self._batch_size:
            return False
        self.partition, self._produced_bytes = self._next(cluster), 0
        return True

    def update_load_stats(self, lengths: list[int], partitions: list[int], queues: int) -> None:
        """Weigh partitions by the lengths of their queues; `queues` counts those left out, too.

        The longest queue weighs 1, an empty one the most. Where all are alike and none was left
        out, there is nothing to weigh.
        """
        self._cumulative = None
        if queues < 2 or not lengths or (len(lengths) == queues and len(set(lengths)) == 1):
            return
        longest = max(lengths)
        self._weighed = partitions
        self._cumulative = list(accumulate(longest + 1 - length for length in lengths))
