"""LogSegments: the segments of one log, found by offset.

They are sorted by base offset and never overlap; the last one is active, all others are closed.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator

from kafka_internals.storage.log_segment import LogSegment


class LogSegments:
    """A sorted map from base offset to segment."""

    def __init__(self) -> None:
        self._bases: list[int] = []
        self._by_base: dict[int, LogSegment] = {}
        self.active: LogSegment | None = None       # the one that is written to

    def __len__(self) -> int:
        return len(self._bases)

    def __iter__(self) -> Iterator[LogSegment]:
        return map(self._by_base.__getitem__, tuple(self._bases))

    def __contains__(self, base_offset: int) -> bool:
        return base_offset in self._by_base

    def add(self, segment: LogSegment) -> None:
        """Take in a segment; one with the same base offset is replaced."""
        if segment.base_offset not in self._by_base:
            insort(self._bases, segment.base_offset)
        self._by_base[segment.base_offset] = segment
        self.active = self._by_base[self._bases[-1]]

    def remove(self, segment: LogSegment) -> None:
        """Forget a segment; its files stay."""
        self._bases.remove(segment.base_offset)
        del self._by_base[segment.base_offset]
        self.active = self._by_base[self._bases[-1]] if self._bases else None

    @property
    def base_offsets(self) -> tuple[int, ...]:
        """The base offset of each, ascending."""
        return tuple(self._bases)

    @property
    def first(self) -> LogSegment | None:
        """The oldest segment."""
        return self._by_base[self._bases[0]] if self._bases else None

    def floor(self, offset: int) -> LogSegment | None:
        """The segment that holds the offset, or would: the last one that begins at or before."""
        if self.active is not None and offset >= self.active.base_offset:
            return self.active                      # readers are mostly at the end
        at = bisect_right(self._bases, offset)
        return self._by_base[self._bases[at - 1]] if at else None

    def higher(self, base_offset: int) -> LogSegment | None:
        """The segment after the one that begins at `base_offset`."""
        if self.active is None or base_offset >= self.active.base_offset:
            return None
        return self._by_base[self._bases[bisect_right(self._bases, base_offset)]]

    def from_offset(self, offset: int) -> list[LogSegment]:
        """The segment that holds the offset and all behind it."""
        at = max(0, bisect_right(self._bases, offset) - 1)
        return [self._by_base[base] for base in self._bases[at:]]
