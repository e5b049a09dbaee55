"""AbstractIndex: a file of equal entries, sorted, in which a binary search finds its way.

The file of an active segment is preallocated with zeros, so that an entry is a write in place; the
bytes behind the last entry mean nothing and are cut off when the segment becomes inactive. Nothing
of it is held in memory but the number of entries and the last one: a lookup reads the entries that
it compares with. It looks in the last 8 KiB first, which the readers at the end of a log keep warm
in the page cache.
"""

from struct import Struct
from typing import Any

from kafka_internals.errors import CorruptIndexException, IndexOffsetOverflowException
from kafka_internals.record import Field
from kafka_internals.storage.file_records import Storage

LARGEST_RELATIVE_OFFSET = 2**31 - 1
WARM_BYTES = 8192


def entry_struct(layout: tuple[Field, ...]) -> Struct:
    """What packs one entry of a layout, big endian."""
    return Struct(">" + "".join(field.kind for field in layout))


class AbstractIndex:
    """What the offset index and the time index share. A file that is there is opened as it is.

    `max_index_bytes` is the config `segment.index.bytes`; it is rounded down to whole entries.
    """

    ENTRY: Struct

    def __init__(self, storage: Storage, name: str, base_offset: int,
                 max_index_bytes: int) -> None:
        self._storage, self.name, self.base_offset = storage, name, base_offset
        self.max_index_bytes = max_index_bytes
        self.entries = 0
        if storage.exists(name):
            self._has_length(storage.size(name))
            self.entries = self.max_entries
        else:
            self._has_length(max_index_bytes - max_index_bytes % self.ENTRY.size)
            storage.truncate(name, self.length_bytes)
        self.last_entry = self._read_last()

    def _has_length(self, size_bytes: int) -> None:
        """So long is the file, and so many entries have room in it."""
        self.length_bytes, self.max_entries = size_bytes, size_bytes // self.ENTRY.size

    @property
    def size_bytes(self) -> int:
        """Bytes of the entries; the file may be longer."""
        return self.entries * self.ENTRY.size

    @property
    def is_full(self) -> bool:
        """True where the segment has to roll because there is no room for another entry."""
        return self.entries >= self.max_entries

    # -- entries ------------------------------------------------------------------------------
    def _decode(self, fields: tuple) -> Any:
        raise NotImplementedError

    def _before_first(self) -> Any:
        raise NotImplementedError

    def _fields(self, at: int) -> tuple:
        size = self.ENTRY.size
        return self.ENTRY.unpack(self._storage.read(self.name, at * size, size))

    def _read_last(self) -> Any:
        return self._decode(self._fields(self.entries - 1)) if self.entries \
            else self._before_first()

    def entry(self, at: int) -> Any:
        """Entry number `at`, from 0 on; ValueError where there is none."""
        if not 0 <= at < self.entries:
            raise ValueError(f"{self.name} has {self.entries} entries; there is no entry {at}")
        return self._decode(self._fields(at))

    def __iter__(self):
        content = self._storage.read(self.name, 0, self.size_bytes)
        return map(self._decode, self.ENTRY.iter_unpack(content))

    def relative_offset(self, offset: int) -> int:
        """Offset minus base offset; IndexOffsetOverflowException where it fits no 31 bits."""
        relative = offset - self.base_offset
        if not 0 <= relative <= LARGEST_RELATIVE_OFFSET:
            raise IndexOffsetOverflowException(
                f"offset {offset} is {relative} behind the base offset {self.base_offset} of "
                f"{self.name}; an entry holds 0 to {LARGEST_RELATIVE_OFFSET}")
        return relative

    def _append(self, fields: tuple) -> None:
        self._storage.write(self.name, self.size_bytes, self.ENTRY.pack(*fields))
        self.entries += 1
        self.last_entry = self._decode(fields)

    # -- search -------------------------------------------------------------------------------
    def _floor(self, target: int, field: int) -> tuple[int, list[int]]:
        """(last entry whose field is at most `target`, or -1; the entries compared with)."""
        visited: list[int] = []

        def value(at: int) -> int:
            visited.append(at)
            return self._fields(at)[field]

        if not self.entries:
            return -1, visited
        low, high = max(0, self.entries - 1 - WARM_BYTES // self.ENTRY.size), self.entries - 1
        if (warm := value(low)) > target:
            if (value(0) if low else warm) > target:
                return -1, visited
            low, high = 0, low
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (low, middle - 1) if value(middle) > target else (middle, high)
        return low, visited

    # -- the file -----------------------------------------------------------------------------
    def _truncate_to_entries(self, entries: int) -> None:
        self.entries = entries
        self.last_entry = self._read_last()

    def _truncate_before(self, offset: int, field: int) -> None:
        # Offsets before the base are in no index, and nothing is left of this one.
        at, _ = self._floor(offset - self.base_offset - 1, field)
        if at + 1 < self.entries:
            self._truncate_to_entries(at + 1)

    def reset(self) -> None:
        """Forget all entries and give the file its largest size again."""
        self._truncate_to_entries(0)
        self.resize(self.max_index_bytes)

    def resize(self, size_bytes: int) -> bool:
        """Set the file's length, rounded down to entries; True where it had another one."""
        size_bytes -= size_bytes % self.ENTRY.size
        if size_bytes == self.length_bytes:
            return False
        self._storage.truncate(self.name, size_bytes)
        self._has_length(size_bytes)
        if self.max_entries < self.entries:
            self._truncate_to_entries(self.max_entries)
        return True

    def trim_to_valid_size(self) -> None:
        """Cut off what lies behind the last entry."""
        self.resize(self.size_bytes)

    def flush(self) -> None:
        """What was written so far survives a power loss from now on."""
        self._storage.flush(self.name)

    def close(self) -> None:
        """Leave the file as it is kept: without the bytes behind the last entry."""
        self.trim_to_valid_size()

    def sanity_check(self) -> None:
        """CorruptIndexException where the file cannot be an index of this segment."""
        if self.length_bytes % self.ENTRY.size:
            raise CorruptIndexException(f"{self.name} has {self.length_bytes} bytes, which is no "
                                        f"multiple of {self.ENTRY.size}, the size of an entry")
        if self.entries and self.last_entry.offset < self.base_offset:
            raise CorruptIndexException(
                f"the last offset in {self.name} is {self.last_entry.offset}, which lies before "
                f"the base offset {self.base_offset}")
