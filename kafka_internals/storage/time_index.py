"""TimeIndex: which offset a segment had reached when its largest timestamp grew (KIP-33).

An entry says that no record up to its offset has a larger timestamp. It is written together with
an entry of the offset index, and only where the maximum has grown since the last one. One slot is
kept free for the entry that a segment gets when it becomes inactive.
"""

from typing import NamedTuple

from kafka_internals.errors import (
    CorruptIndexException,
    IllegalStateException,
    InvalidOffsetException,
)
from kafka_internals.record import Field
from kafka_internals.storage.abstract_index import AbstractIndex, entry_struct

# fmt: off
LAYOUT = (
    Field("timestamp",       "q", "largest timestamp up to that offset, epoch ms"),
    Field("relative_offset", "i", "last offset of the batch with it, minus the base offset"),
)
# fmt: on
TIMESTAMP, OFFSET = 0, 1
NO_TIMESTAMP = -1


class TimestampOffset(NamedTuple):
    """A timestamp in epoch ms, -1 for none, and the offset that belongs to it."""

    timestamp: int
    offset: int


class TimeIndex(AbstractIndex):
    """The `.timeindex` file of a segment: entries of 12 bytes, both fields increasing."""

    ENTRY = entry_struct(LAYOUT)

    def _decode(self, fields: tuple) -> TimestampOffset:
        return TimestampOffset(fields[TIMESTAMP], self.base_offset + fields[OFFSET])

    def _before_first(self) -> TimestampOffset:
        return TimestampOffset(NO_TIMESTAMP, self.base_offset)

    @property
    def is_full(self) -> bool:
        """True where only the slot for the final entry is left, or not even that."""
        return self.entries >= self.max_entries - 1

    def maybe_append(self, timestamp: int, offset: int, skip_full_check: bool = False) -> None:
        """Add an entry, unless the timestamp is the last one's. `skip_full_check`: the final entry.

        Errors: IllegalArgument as ValueError (full), InvalidOffsetException (offset before the last
        one), IllegalStateException (timestamp before the last one), IndexOffsetOverflowException.
        """
        last = self.last_entry
        if self.is_full and not skip_full_check:
            raise ValueError(f"{self.name} is full: it has {self.entries} entries and room for "
                             f"{self.max_entries}, the last of which is for the final entry")
        if self.entries and offset < last.offset:
            raise InvalidOffsetException(f"offset {offset} lies before {last.offset}, the last one "
                                         f"in {self.name}")
        if self.entries and timestamp < last.timestamp:
            raise IllegalStateException(f"timestamp {timestamp} lies before {last.timestamp}, the "
                                        f"last one in {self.name}")
        if timestamp > last.timestamp:
            self._append((timestamp, self.relative_offset(offset)))

    def lookup(self, timestamp: int) -> TimestampOffset:
        """The last entry at or before `timestamp`; (-1, base offset) where there is none."""
        at, _ = self._floor(timestamp, TIMESTAMP)
        return self._decode(self._fields(at)) if at >= 0 else self._before_first()

    def lookup_steps(self, timestamp: int) -> tuple[int, ...]:
        """The numbers of the entries that a lookup of `timestamp` compares with, in order."""
        return tuple(self._floor(timestamp, TIMESTAMP)[1])

    def truncate_to(self, offset: int) -> None:
        """Forget every entry at or behind `offset`."""
        self._truncate_before(offset, OFFSET)

    def sanity_check(self) -> None:
        """CorruptIndexException where the file cannot be a time index of this segment."""
        super().sanity_check()
        if self.entries and self.last_entry.timestamp < (first := self.entry(0)).timestamp:
            raise CorruptIndexException(
                f"the last timestamp in {self.name} is {self.last_entry.timestamp}, which lies "
                f"before the first, {first.timestamp}")
