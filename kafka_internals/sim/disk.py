"""One machine's disk: what was written is in the page cache, what was flushed is on the platter.

The difference decides what survives. A process that dies leaves the page cache to the operating
system, which still has every byte. A machine that loses power keeps what was flushed and an
arbitrary part of the rest: here a prefix, chosen by the dice. Kafka flushes log segments only on a
clean stop (`log.flush.interval.messages` is 2^63-1): durability comes from other machines.
"""

from collections.abc import Callable
from typing import NamedTuple


class DiskCost(NamedTuple):
    """What an operation takes, in microseconds: a copy into the page cache, a flush (fsync)."""

    write_us: int = 4
    write_us_per_kib: int = 1
    flush_us: int = 2000


class File:
    """The bytes of one file, and how many of them a power loss cannot take."""

    __slots__ = ("data", "flushed")

    def __init__(self) -> None:
        self.data, self.flushed = bytearray(), 0


class Disk:
    """Files by name. Every operation adds to `cost_us` until `take_cost_us()` is asked for it."""

    def __init__(self, draw: Callable[[int], int], cost: DiskCost = DiskCost()) -> None:
        self.files: dict[str, File] = {}
        self.cost_us, self._cost, self._draw = 0, cost, draw

    def take_cost_us(self) -> int:
        """What the operations since the last call have cost."""
        cost_us, self.cost_us = self.cost_us, 0
        return cost_us

    def size(self, name: str) -> int:
        """Length in bytes; 0 for a file that does not exist."""
        file = self.files.get(name)
        return len(file.data) if file else 0

    def read(self, name: str, position: int = 0, size: int | None = None) -> bytes:
        """Bytes from `position`; fewer than `size` at the end of the file, none without one."""
        file = self.files.get(name)
        if file is None:
            return b""
        end = len(file.data) if size is None else position + size
        return bytes(memoryview(file.data)[position:end])

    def append(self, name: str, data: bytes) -> None:
        """Write behind the end, into the page cache."""
        file = self.files.get(name)
        if file is None:
            file = self.files[name] = File()
        file.data += data
        self.cost_us += self._cost.write_us + self._cost.write_us_per_kib * (len(data) >> 10)

    def truncate(self, name: str, size: int) -> None:
        """Cut the file at `size` bytes."""
        file = self.files[name]
        del file.data[size:]
        file.flushed = min(file.flushed, size)

    def flush(self, name: str) -> None:
        """Everything written to this file so far reaches the platter."""
        if file := self.files.get(name):
            file.flushed = len(file.data)
            self.cost_us += self._cost.flush_us

    def replace(self, name: str, data: bytes) -> None:
        """Write a new file, flush it and rename it over the old one: all of it or none of it."""
        self.files[name] = file = File()
        file.data += data
        self.flush(name)

    def power_loss(self) -> None:
        """Keep what was flushed, and of the rest a prefix that happened to be written back."""
        for name in sorted(self.files):
            file = self.files[name]
            unflushed = len(file.data) - file.flushed
            if unflushed:
                del file.data[file.flushed + self._draw(unflushed + 1):]
            file.flushed = len(file.data)

    def copy_of(self, name: str) -> "Disk":
        """A disk of its own with one file as it is now: to look at, not to change."""
        copy = Disk(self._draw, self._cost)
        copy.append(name, self.read(name))
        return copy

    def lose(self) -> None:
        """The disk is replaced by an empty one."""
        self.files.clear()
