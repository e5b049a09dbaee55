"""FileRecords: one append-only file of record batches, as a segment's `.log` holds them.

The file is read and written through a `Storage`, which knows what is flushed and what an operation
costs. Where each batch begins is remembered in memory; after a restart the file is scanned, and
whatever follows the first batch that is torn or fails its checksum is cut off (LogSegment.recover).
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from kafka_internals.record_batch import RecordBatch, batches, valid_length


def log_file(partition: object) -> str:
    """Where a partition's records lie: "orders-0/00000000000000000000.log"."""
    return f"{partition}/{0:020d}.log"


def whole_batches(content: bytes) -> Iterator[RecordBatch]:
    """The batches of a file up to the first that is torn or fails its checksum."""
    return batches(content[:valid_length(content)])


class Storage(Protocol):
    """Where files lie. The simulated disk has these; sizes and positions are in bytes."""

    def size(self, name: str) -> int: ...
    def read(self, name: str, position: int = 0, size: int | None = None) -> bytes: ...
    def append(self, name: str, data: bytes) -> None: ...
    def truncate(self, name: str, size: int) -> None: ...
    def flush(self, name: str) -> None: ...


class StoredBatch(NamedTuple):
    """What a log remembers of one batch without reading it again."""

    base_offset: int
    last_offset: int
    leader_epoch: int
    position: int
    size: int
    crc: int


class Batches:
    """A log's batches at one instant: an immutable view that shares the growing list behind it."""

    __slots__ = ("_all", "_count")

    def __init__(self, all: list[StoredBatch], count: int) -> None:
        self._all, self._count = all, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self):
        return iter(self._all[:self._count])

    def __getitem__(self, at: int) -> StoredBatch:
        return self._all[:self._count][at] if at < 0 else self._all[at]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Batches):
            return NotImplemented
        if self._all is other._all:
            return self._count == other._count
        return list(self) == list(other)

    __hash__ = None

    def __repr__(self) -> str:
        return f"Batches({', '.join(f'{b.base_offset}-{b.last_offset}' for b in self)})"


class FileRecords:
    """The batches of one file. Opening it scans what is there and cuts what is not whole."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage, self.name = storage, name
        self._batches: list[StoredBatch] = []
        self._base_offsets: list[int] = []
        content = storage.read(name)
        whole = valid_length(content)
        self.truncated_bytes = len(content) - whole
        if self.truncated_bytes:
            storage.truncate(name, whole)
        self.size_bytes = 0
        for batch in batches(content[:whole]):
            self._remember(batch)

    def _remember(self, batch: RecordBatch) -> None:
        header = batch.header
        self._batches.append(StoredBatch(header.base_offset, header.last_offset,
                                         header.partition_leader_epoch, self.size_bytes,
                                         batch.size, header.crc))
        self._base_offsets.append(header.base_offset)
        self.size_bytes += batch.size

    def append(self, batch: RecordBatch) -> None:
        """Write a batch whose offsets are final behind the last one."""
        self._storage.append(self.name, batch.buffer)
        self._remember(batch)

    def snapshot(self) -> Batches:
        """The batches that the file holds now."""
        return Batches(self._batches, len(self._batches))

    def last(self) -> StoredBatch | None:
        """The last batch, or None in an empty file."""
        return self._batches[-1] if self._batches else None

    def find(self, offset: int) -> int:
        """Index of the batch that holds `offset`; the number of batches where none does."""
        at = bisect_right(self._base_offsets, offset) - 1
        return at if at >= 0 and self._batches[at].last_offset >= offset else at + 1

    def position_of(self, offset: int) -> int:
        """Where in the file the batch that holds `offset` begins; the size of the file past it."""
        if not self._batches or offset > self._batches[-1].last_offset:
            return self.size_bytes
        return self._batches[self.find(offset)].position

    def read(self, offset: int, max_bytes: int, end_offset: int, min_one: bool) -> bytes:
        """Bytes from the batch that holds `offset` on, up to the one that holds `end_offset`.

        At most `max_bytes`, so the last batch may be torn. Where already the first is larger, it
        comes whole with `min_one`, and nothing comes without.
        """
        size = self.position_of(end_offset) - (start := self.position_of(offset))
        if size <= 0:
            return b""
        if size > max_bytes:
            first = self._batches[self.find(offset)].size
            size = max_bytes if first <= max_bytes else first if min_one else 0
        return self._storage.read(self.name, start, size)

    def flush(self) -> None:
        """What was written so far survives a power loss from now on."""
        self._storage.flush(self.name)
