"""BufferPool: the memory in which records wait, `buffer.memory` bytes and never more.

Buffers of exactly `batch.size` are kept for the next batch; any other size is given back as plain
memory. Who finds too little waits in a queue, takes what becomes free until it has enough, and
nobody behind it gets anything before. No byte is really held here: the pool keeps the books.
"""

from collections import deque
from typing import NamedTuple

from kafka_internals.errors import IllegalArgumentException


class Allocation:
    """A buffer that was asked for: `got_bytes` of its `size_bytes` so far."""

    __slots__ = ("size_bytes", "got_bytes")

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes, self.got_bytes = size_bytes, 0

    @property
    def done(self) -> bool:
        """True once it has all its bytes."""
        return self.got_bytes == self.size_bytes


class BufferPoolSnapshot(NamedTuple):
    """Bytes in all and unused, and how many of the latter are kept as buffers of `batch.size`.

    `waiting` has for everybody who waits, the first first, the bytes wanted and got so far.
    """

    total_bytes: int
    available_bytes: int
    free_buffers: int
    waiting: tuple[tuple[int, int], ...]


class BufferPool:
    """The books of one producer's memory.

    `available_bytes` no batch uses, kept buffers included; `lowest_bytes` were the fewest so far.
    `waiters` wait for memory, the first first.
    """

    def __init__(self, total_bytes: int, poolable_bytes: int) -> None:
        self.total_bytes, self.poolable_bytes = total_bytes, poolable_bytes
        self.available_bytes = self.lowest_bytes = total_bytes
        self._free_buffers = 0
        self.waiters: deque[Allocation] = deque()

    def allocate(self, size_bytes: int) -> Allocation:
        """A buffer, at once where there is room (also past those who wait), else later.

        Errors: IllegalArgumentException for more than there will ever be.
        """
        if size_bytes > self.total_bytes:
            raise IllegalArgumentException(
                f"Attempt to allocate {size_bytes} bytes, but there is a hard limit of "
                f"{self.total_bytes} on memory allocations.")
        wanted = Allocation(size_bytes)
        if self.available_bytes >= size_bytes:
            self._take(wanted)
        else:
            self.waiters.append(wanted)
        return wanted

    def resume(self, wanted: Allocation) -> bool:
        """Whoever waits tries again: the first in the queue takes what there is now."""
        if not wanted.done and self.waiters[0] is wanted:
            self._take(wanted)
            if wanted.done:
                self.waiters.popleft()
        return wanted.done

    def _take(self, wanted: Allocation) -> None:
        got = missing = wanted.size_bytes - wanted.got_bytes
        if missing == self.poolable_bytes and self._free_buffers:
            self._free_buffers -= 1
        else:
            plain_bytes = self.available_bytes - self._free_buffers * self.poolable_bytes
            while self._free_buffers and plain_bytes < missing:
                self._free_buffers -= 1
                plain_bytes += self.poolable_bytes
            got = min(missing, plain_bytes)
        self.available_bytes -= got
        wanted.got_bytes += got
        self.lowest_bytes = min(self.lowest_bytes, self.available_bytes)

    def give_up(self, wanted: Allocation) -> None:
        """Somebody has waited long enough: what it had got so far is free again."""
        self.waiters.remove(wanted)
        self.available_bytes += wanted.got_bytes

    def deallocate(self, size_bytes: int) -> None:
        """A buffer comes back."""
        self.available_bytes += size_bytes
        if size_bytes == self.poolable_bytes:
            self._free_buffers += 1

    def exhausted(self, wanted: Allocation, blocked_ms: int) -> str:
        """What one is told whose wait was in vain."""
        return (f"Failed to allocate {wanted.size_bytes} bytes within the configured max blocking "
                f"time {blocked_ms} ms. Total memory: {self.total_bytes} bytes. Available memory: "
                f"{self.available_bytes} bytes. Poolable size: {self.poolable_bytes} bytes")

    def snapshot(self) -> BufferPoolSnapshot:
        """Frozen."""
        return BufferPoolSnapshot(self.total_bytes, self.available_bytes, self._free_buffers,
                                  tuple((one.size_bytes, one.got_bytes) for one in self.waiters))
