"""Logs compared batch by batch: what judges of replication look at.

A record is told by its batch: offset, leader epoch and checksum.
"""

from typing import Any

from kafka_internals.sim.trace import Change


def told_apart(replica: Any, start: int, end: int) -> dict[int, tuple]:
    """The batches of a log that begin in a range, by offset; looked for from the end."""
    found = {}
    for one in reversed(replica.batches):
        if one.base_offset < start:
            break
        if one.base_offset < end:
            found[one.base_offset] = one.last_offset, one.leader_epoch, one.crc
    return found


def newly(replica: Any, change: Change) -> dict[int, tuple]:
    """The batches that are below a mark since it has changed."""
    start = replica.log_start_offset
    return told_apart(replica, start if change.old is None else max(start, change.old), change.new)


def first_difference(a: Any, b: Any, end: int) -> int | None:
    """The first offset below `end` at which two logs have not the same batch; both have begun."""
    start = max(a.log_start_offset, b.log_start_offset)
    in_a, in_b = told_apart(a, start, end), told_apart(b, start, end)
    if in_a == in_b:
        return None
    return min(offset for offset in {**in_a, **in_b} if in_a.get(offset) != in_b.get(offset))


class Compared:
    """Finds the first difference of two logs, and compares each batch once.

    Views of a log share a list until it is cut; who keeps the list can know it again. What is the
    same in both, from the first batch on, is not looked at again.
    """

    def __init__(self) -> None:
        self._same: dict[tuple, tuple] = {}       # by replicas: how many, of which two lists

    def first_difference(self, a: Any, b: Any, end: int) -> int | None:
        """As the function of this name."""
        one, other = a.batches.origin, b.batches.origin
        pair = a.partition, a.broker, b.broker
        same, known, known_other = self._same.get(pair, (0, None, None))
        if known is not one or known_other is not other:
            same = 0                              # a log was cut, or is another one
        if not same or one[same - 1].last_offset + 1 < end:
            same = a.batches.shared_with(b.batches, same)
            self._same[pair] = same, one, other
        shared = one[same - 1].last_offset + 1 if same else 0
        return first_difference(a, b, end) if shared < end else None
