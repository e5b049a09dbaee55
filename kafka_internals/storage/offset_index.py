"""OffsetIndex: where in a segment's file the batches lie, for one batch in every few kilobytes.

An entry is the last offset of a batch, relative to the base offset, and the byte at which that
batch begins. The index is sparse (`index.interval.bytes`): a lookup gives the entry at or before
an offset, and the batch headers from there on are scanned.
"""

from typing import NamedTuple

from kafka_internals.errors import InvalidOffsetException
from kafka_internals.record import Field
from kafka_internals.storage.abstract_index import AbstractIndex, entry_struct

# fmt: off
LAYOUT = (
    Field("relative_offset", "i", "last offset of a batch minus the segment's base offset"),
    Field("position",        "i", "the byte of the .log file at which that batch begins"),
)
# fmt: on
OFFSET, POSITION = 0, 1


class OffsetPosition(NamedTuple):
    """An offset, and the byte of the segment's file at which its batch begins."""

    offset: int
    position: int


class OffsetIndex(AbstractIndex):
    """The `.index` file of a segment: entries of 8 bytes, offsets strictly increasing."""

    ENTRY = entry_struct(LAYOUT)

    def _decode(self, fields: tuple) -> OffsetPosition:
        return OffsetPosition(self.base_offset + fields[OFFSET], fields[POSITION])

    def _before_first(self) -> OffsetPosition:
        return OffsetPosition(self.base_offset, 0)

    @property
    def last_offset(self) -> int:
        """The offset of the last entry; the base offset in an empty index."""
        return self.last_entry.offset

    def append(self, offset: int, position: int) -> None:
        """Add an entry. Errors: IllegalArgument as ValueError (full), InvalidOffsetException
        (not behind the last one), IndexOffsetOverflowException."""
        if self.is_full:
            raise ValueError(f"{self.name} is full: it has {self.entries} entries and room for "
                             f"{self.max_entries}")
        if self.entries and offset <= self.last_offset:
            raise InvalidOffsetException(f"offset {offset} does not lie behind {self.last_offset}, "
                                         f"the last one in {self.name}")
        self._append((self.relative_offset(offset), position))

    def lookup(self, offset: int) -> OffsetPosition:
        """The last entry at or before `offset`; (base offset, 0) where there is none."""
        at, _ = self._floor(offset - self.base_offset, OFFSET)
        return self._decode(self._fields(at)) if at >= 0 else self._before_first()

    def lookup_steps(self, offset: int) -> tuple[int, ...]:
        """The numbers of the entries that a lookup of `offset` compares with, in order."""
        return tuple(self._floor(offset - self.base_offset, OFFSET)[1])

    def fetch_upper_bound_offset(self, start: OffsetPosition,
                                 fetch_size: int) -> OffsetPosition | None:
        """The first entry at or behind the byte where a fetch of `fetch_size` bytes ends.

        None where the index does not reach so far.
        """
        at, _ = self._floor(start.position + fetch_size - 1, POSITION)
        return self.entry(at + 1) if at + 1 < self.entries else None

    def truncate_to(self, offset: int) -> None:
        """Forget every entry at or behind `offset`."""
        self._truncate_before(offset, OFFSET)
