"""One file of a disk: its bytes as the page cache has them, and what the platter has instead.

What a power loss leaves of it is decided here; `sim/disk.py` says when it is written back.
"""

from collections.abc import Callable

PAGE_BYTES, SECTOR_BYTES = 4096, 512
SECTORS = PAGE_BYTES // SECTOR_BYTES
WRITTEN_BACK = 4          # one of so many dirty pages is on the platter before its time
NEVER = 1 << 62


def pages_of(size: int) -> int:
    """How many pages so many bytes take."""
    return -(-size // PAGE_BYTES)


class File:
    """The bytes of one file as the page cache has them, and what the platter has instead.

    Up to `flushed` bytes the platter has every page: as in `data`, or as in `older` where it was
    written over since. Behind that it has nothing. A file of `size` bytes may end in zeros that
    nobody wrote, and that take no room (it is sparse); `extent` is the size that the directory
    has on the platter. `modified_ms`: the last write, epoch ms. `absent` pages are on the platter
    only: to read them costs a read of the disk. At `expires_ms` the system writes back what is
    dirty.
    """

    __slots__ = ("data", "size", "extent", "flushed", "older", "modified_ms", "absent",
                 "expires_ms")

    def __init__(self) -> None:
        self.data, self.modified_ms, self.expires_ms = bytearray(), 0, NEVER
        self.size = self.extent = self.flushed = 0
        self.older: dict[int, bytes] = {}
        self.absent: set[int] = set()

    def append(self, data: bytes) -> None:
        """Put bytes behind the end."""
        if self.size > len(self.data):
            self.write(self.size, data)
        else:
            if self.absent:
                self.absent.discard(self.size // PAGE_BYTES)
            self.data += data
            self.size = len(self.data)

    def read(self, position: int, end: int) -> bytes:
        """The bytes from `position` up to `end`, or to where the file ends."""
        held = bytes(memoryview(self.data)[position:end])
        return held.ljust(min(end, self.size) - position, b"\0") if end > len(self.data) else held

    def dirty_pages(self) -> list[int]:
        """Numbers of the pages that differ from the platter, in order."""
        tail = range(self.flushed // PAGE_BYTES, pages_of(len(self.data)))
        return sorted({*self.older, *tail}) if len(self.data) > self.flushed else sorted(self.older)

    def unflushed_bytes(self) -> int:
        """How many bytes the platter has not, or has as they were before."""
        again = sum(min(PAGE_BYTES, self.flushed - page * PAGE_BYTES) for page in self.older)
        return len(self.data) - self.flushed + again

    def write(self, position: int, data: bytes) -> None:
        """Put bytes in place of others, with zeros up to `position` where the file is shorter."""
        end = position + len(data)
        for page in range(position // PAGE_BYTES, pages_of(min(end, self.flushed))):
            self.older[page] = self._on_platter(page)
            self.absent.discard(page)
        if (gap := position - len(self.data)) > 0:
            self.data += bytes(gap)
        self.data[position:end] = data
        self.size = max(self.size, len(self.data))

    def truncate(self, size: int) -> None:
        """Cut at `size` bytes, or add zeros up to it; both are the directory's business."""
        self.size = self.extent = size
        if size > len(self.data):
            return
        del self.data[size:]
        self.flushed = min(self.flushed, size)
        self.absent = {page for page in self.absent if page * PAGE_BYTES < size}
        self.older = {page: content[:size - page * PAGE_BYTES]
                      for page, content in self.older.items() if page * PAGE_BYTES < size}

    def flush(self) -> None:
        """Every page reaches the platter."""
        self.flushed, self.extent = len(self.data), self.size
        if self.older:
            self.older.clear()
        self.expires_ms = NEVER

    def lose_power(self, draw: Callable[[int], int]) -> None:
        """Each dirty page was written back or not; the last of them perhaps in part."""
        dirty, end = self.dirty_pages(), self.flushed
        written = [page for page in dirty if draw(WRITTEN_BACK) == WRITTEN_BACK - 1]
        torn_at = draw(2 * SECTORS) if written else 0
        for page in dirty:
            start, content = page * PAGE_BYTES, self._on_platter(page)
            if page in written:
                whole = page != written[-1] or torn_at >= SECTORS
                cut = PAGE_BYTES if whole else torn_at * SECTOR_BYTES
                content = bytes(self.data[start:start + PAGE_BYTES])[:cut] + content[cut:]
            end = max(end, start + len(content)) if content else end
            size = min(PAGE_BYTES, len(self.data) - start)
            self.data[start:start + size] = content.ljust(size, b"\0")
        del self.data[end:]
        self.size = max(self.extent, len(self.data))
        self.flush()

    def _on_platter(self, page: int) -> bytes:
        if page in self.older:
            return self.older[page]
        return bytes(self.data[page * PAGE_BYTES:min((page + 1) * PAGE_BYTES, self.flushed)])
