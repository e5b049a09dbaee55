"""FileRecords: one append-only file of record batches, as a segment's `.log` holds them.

The file is read and written through a `Storage`, which knows what is flushed and what an operation
costs. Opening a file reads nothing of it. Where each batch begins is remembered as batches are
appended; of a file that was there before, headers are read when they are asked for.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import attrgetter
from struct import Struct
from typing import NamedTuple, Protocol

from kafka_internals.errors import CorruptRecordException
from kafka_internals.record_batch import (
    LAYOUT,
    LOG_OVERHEAD,
    RECORD_BATCH_OVERHEAD,
    RecordBatch,
    batches,
    valid_length,
)
from kafka_internals.storage.log_file_utils import LOG, segment_file

SCAN_BYTES = 4096                               # read at once where headers are scanned
_STORED = Struct(">" + "".join(field.kind for field in LAYOUT[:9]))     # up to the max timestamp

_BASE_OFFSET, _POSITION = attrgetter("base_offset"), attrgetter("position")
_BUFFER = attrgetter("buffer")


def log_file(partition: object, base_offset: int = 0) -> str:
    """Where a segment's records lie: "orders-0/00000000000000000000.log"."""
    return segment_file(partition, base_offset, LOG)


def whole_batches(storage: "Storage", directory: object) -> Iterator[RecordBatch]:
    """The batches of a partition's files up to the first that is torn or fails its checksum."""
    for name in storage.names(str(directory)):
        if name.endswith(LOG):
            content = storage.read(f"{directory}/{name}")
            yield from batches(content[:(whole := valid_length(content))])
            if whole < len(content):
                return


class Storage(Protocol):
    """Where files lie. The simulated disk has these; sizes and positions are in bytes."""

    def exists(self, name: str) -> bool: ...
    def size(self, name: str) -> int: ...
    def read(self, name: str, position: int = 0, size: int | None = None) -> bytes: ...
    def append(self, name: str, data: bytes) -> None: ...
    def write(self, name: str, position: int, data: bytes) -> None: ...
    def truncate(self, name: str, size: int) -> None: ...
    def flush(self, name: str) -> None: ...
    def rename(self, old: str, new: str) -> None: ...
    def delete(self, name: str) -> None: ...
    def names(self, directory: str) -> list[str]: ...
    def directories(self) -> list[str]: ...
    def replace(self, name: str, data: bytes) -> None: ...
    def modified_ms(self, name: str) -> int: ...


class StoredBatch(NamedTuple):
    """What a log remembers of one batch without reading it again."""

    base_offset: int
    last_offset: int
    leader_epoch: int
    position: int
    size: int
    crc: int
    max_timestamp: int


class TimestampAndOffset(NamedTuple):
    """A record that was found by its time: timestamp in epoch ms, offset, epoch of its leader."""

    timestamp: int
    offset: int
    leader_epoch: int


class Batches:
    """A log's batches at one instant: an immutable view that shares the growing list behind it.

    All views of a log have one `origin` until it is cut: then there is another one.
    """

    __slots__ = ("origin", "_count")

    def __init__(self, all: list[StoredBatch], count: int) -> None:
        self.origin, self._count = all, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self):
        return iter(self.origin[:self._count])

    def __getitem__(self, at: int) -> StoredBatch:
        return self.origin[self._count + at if at < 0 else at]

    def shared_with(self, other: "Batches", known: int = 0) -> int:
        """How many batches, from the first on, are the same in both; `known` are, for sure."""
        for mine, theirs in zip(self.origin[known:self._count], other.origin[known:other._count]):
            if mine[:3] != theirs[:3] or mine.crc != theirs.crc:
                break
            known += 1
        return known

    def shared_end(self, other: "Batches") -> int:
        """Where the last batch ends that both have with the same leader epoch; 0 without one."""
        at, there = self._count - 1, other._count - 1
        while at >= 0 and there >= 0:
            mine, theirs = self.origin[at], other.origin[there]
            if mine.base_offset == theirs.base_offset and mine.leader_epoch == theirs.leader_epoch:
                return mine.last_offset + 1
            at -= mine.base_offset >= theirs.base_offset
            there -= theirs.base_offset >= mine.base_offset
        return 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Batches):
            return NotImplemented
        if self.origin is other.origin:
            return self._count == other._count
        return list(self) == list(other)

    __hash__ = None

    def __repr__(self) -> str:
        return f"Batches({', '.join(f'{b.base_offset}-{b.last_offset}' for b in self)})"


class FileRecords:
    """The batches of one file. Opening it reads and changes nothing."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage, self.name = storage, name
        self.size_bytes = storage.size(name)
        # None: not all batches of the file are known, and nobody has asked for them yet.
        self._known: list[StoredBatch] | None = None if self.size_bytes else []

    # -- what is remembered -------------------------------------------------------------------
    @property
    def _batches(self) -> list[StoredBatch]:
        if self._known is None:
            found: list[StoredBatch] = []
            try:
                found.extend(self._read_headers(0))
            except CorruptRecordException:      # looking must not fail, nor change what reads do
                return found
            self._known = found
        return self._known

    def snapshot(self) -> Batches:
        """The batches that the file holds now, up to one whose length is impossible."""
        found = self._batches
        return Batches(found, len(found))

    # -- writing ------------------------------------------------------------------------------
    def append(self, *batches: RecordBatch) -> int:
        """Write batches whose offsets are final behind the last one; how many bytes."""
        self._storage.append(self.name, b"".join(map(_BUFFER, batches)))
        before = self.size_bytes
        for batch in batches:
            if self._known is not None:
                header = batch.header
                self._known.append(StoredBatch(
                    batch.base_offset, batch.last_offset, header.partition_leader_epoch,
                    self.size_bytes, batch.size, header.crc, header.max_timestamp))
            self.size_bytes += batch.size
        return self.size_bytes - before

    def truncate_to(self, size_bytes: int) -> int:
        """Cut the file; how many bytes that took. ValueError where it is shorter."""
        if not 0 <= size_bytes <= self.size_bytes:
            raise ValueError(f"{self.name} has {self.size_bytes} bytes and cannot be cut at "
                             f"{size_bytes}")
        cut, self.size_bytes = self.size_bytes - size_bytes, size_bytes
        if cut:
            self._storage.truncate(self.name, size_bytes)
            if self._known is not None or not size_bytes:       # a new list: views share the old
                self._known = [one for one in self._known or ()
                               if one.position + one.size <= size_bytes]
        return cut

    def recover(self) -> int:
        """Cut whatever follows the first batch that is torn or fails its checks; how many bytes."""
        return self.truncate_to(valid_length(self.slice()))

    def flush(self) -> None:
        """What was written so far survives a power loss from now on."""
        self._storage.flush(self.name)

    # -- reading ------------------------------------------------------------------------------
    def headers(self, position: int = 0) -> Iterator[StoredBatch]:
        """The batches that begin at byte `position` and behind it; a torn one ends them.

        What is remembered is not read again. Errors: ValueError for a position below 0,
        CorruptRecordException where a length is impossible.
        """
        at = self._number_at(position)
        return iter(self._read_headers(position) if at is None else self._known[at:])

    def _number_at(self, position: int) -> int | None:
        """Which remembered batch begins at this byte: a damaged index may lead into one."""
        at = bisect_left(self._known or (), position, key=_POSITION) if position else 0
        return at if self._known and at < len(self._known) \
            and self._known[at].position == position else None

    def _read_headers(self, position: int) -> Iterator[StoredBatch]:
        if position < 0:
            raise ValueError(f"{self.name}: no batch begins at byte {position}; 0 is the first")
        start, window = position, b""
        while position + RECORD_BATCH_OVERHEAD <= self.size_bytes:
            if position + _STORED.size > start + len(window):
                start, window = position, self.slice(position, SCAN_BYTES)
            base, length, epoch, _, crc, _, delta, _, max_timestamp = _STORED.unpack_from(
                window, position - start)
            if (size := LOG_OVERHEAD + length) < RECORD_BATCH_OVERHEAD:
                raise CorruptRecordException(
                    f"the batch at byte {position} of {self.name}, offset {base}, declares {size} "
                    f"bytes; {RECORD_BATCH_OVERHEAD} is the least")
            if position + size > self.size_bytes:
                return
            yield StoredBatch(base, base + delta, epoch, position, size, crc, max_timestamp)
            position += size

    def slice(self, position: int = 0, size: int | None = None) -> bytes:
        """The bytes from `position` on, at most `size`."""
        return self._storage.read(self.name, position, size)

    def batch(self, stored: StoredBatch) -> RecordBatch:
        """The whole batch behind a header."""
        return RecordBatch(self.slice(stored.position, stored.size))

    def search_for_offset(self, offset: int, position: int = 0) -> StoredBatch | None:
        """The first batch, from the one at byte `position` on, that ends at or behind `offset`."""
        if self._known and not position:
            at = self.find(offset)
        elif (at := self._number_at(position)) is not None:
            at = max(at, self.find(offset))
        else:
            return next((one for one in self._read_headers(position)
                         if one.last_offset >= offset), None)
        return self._known[at] if at < len(self._known) else None

    def search_for_timestamp(self, timestamp: int, position: int,
                             starting_offset: int) -> TimestampAndOffset | None:
        """The first record, from byte `position` and `starting_offset` on, that is not older."""
        for stored in self.headers(position):
            if stored.max_timestamp >= timestamp:
                for record in self.batch(stored).records():
                    if record.timestamp >= timestamp and record.offset >= starting_offset:
                        return TimestampAndOffset(record.timestamp, record.offset,
                                                  stored.leader_epoch)
        return None

    def find(self, offset: int) -> int:
        """Index of the batch that holds `offset`; the number of batches where none does."""
        found = self._known or self._batches
        if found and offset >= found[-1].base_offset:           # readers are mostly at the end
            return len(found) - 1 if offset <= found[-1].last_offset else len(found)
        at = bisect_right(found, offset, key=_BASE_OFFSET) - 1
        return at if at >= 0 and found[at].last_offset >= offset else at + 1

    def position_of(self, offset: int) -> int:
        """Where in the file the batch that holds `offset` begins; the size of the file past it."""
        found = self._known or self._batches
        if not found or offset > found[-1].last_offset:
            return self.size_bytes
        return found[self.find(offset)].position
