"""One machine's disk: what was written is in the page cache, what was flushed is on the platter.

The difference decides what survives. A process that dies leaves the page cache to the operating
system, which still has every byte. A machine that loses power keeps what was flushed, and of the
dirty pages those that happened to be written back, in any order: the dice say which. So a tail may
be missing, a page in the middle may be a hole (zeros, or what it held before) while a later one is
there, and the last one may be torn between two sectors. Kafka flushes a log segment only when it
rolls or stops (`log.flush.interval.messages` is 2^63-1): durability comes from other machines.
The system writes a file back once it has been dirty for half a minute; nobody waits for that.

The directory is a journal of its own, as on ext4 or XFS: names, renames, deletions and cuts survive
in their order, without a sync of the directory. A file grows on the platter only with the pages
that reach it; so what was renamed into place before it was flushed may be empty there.
"""

from collections.abc import Callable, Iterable
from errno import ENOENT
from typing import NamedTuple

from kafka_internals.sim.disk_faults import DiskFault
from kafka_internals.sim.disk_file import NEVER, PAGE_BYTES, File, pages_of

DIRTY, FLUSHED, EVICTED = "dirty", "flushed", "evicted"
READ_AHEAD_PAGES = 32
EXPIRE_MS, WAKE_MS = 30_000, 5_000        # Linux: vm.dirty_expire_, vm.dirty_writeback_centisecs


class DiskCost(NamedTuple):
    """What an operation takes, in microseconds, and how much memory the page cache has.

    Figures of an SSD: a copy into the page cache, a flush (fsync), a read of up to 128 KiB, which
    is what the system reads ahead. `page_cache_bytes` None: memory is larger than all files.
    """

    write_us: int = 4
    write_us_per_kib: int = 1
    flush_us: int = 2000
    read_us: int = 100
    page_cache_bytes: int | None = None


class FileSnapshot(NamedTuple):
    """A file, frozen. `pages`: "dirty", "flushed" or "evicted", as far as something was written."""

    name: str
    size: int
    written_bytes: int
    unflushed_bytes: int
    pages: tuple[str, ...]


class DiskSnapshot(NamedTuple):
    """Every file of a disk, by name."""

    files: tuple[FileSnapshot, ...]


class Disk:
    """Files by name, "orders-0/00000000000000000000.log"; sizes and positions are in bytes.

    Every operation adds to `cost_us` until `take_cost_us()` is asked for it. `now_ms` is what its
    node tells it. `faults` are what goes wrong with it; they raise OSError before anything changes.
    """

    def __init__(self, draw: Callable[[int], int], cost: DiskCost = DiskCost()) -> None:
        self.files: dict[str, File] = {}
        self.faults: list[DiskFault] = []
        self._clean: dict[tuple[File, int], None] = {}      # the least recently used page first
        self.cost_us, self.now_ms, self._cost, self._draw = 0, 0, cost, draw
        self.may_be_cold = cost.page_cache_bytes is not None

    def take_cost_us(self) -> int:
        """What the operations since the last call have cost."""
        cost_us, self.cost_us = self.cost_us, 0
        return cost_us

    # -- reading ------------------------------------------------------------------------------
    def exists(self, name: str) -> bool:
        """True where there is such a file, if only an empty one."""
        return name in self.files

    def size(self, name: str) -> int:
        """Length in bytes; 0 for a file that does not exist."""
        file = self.files.get(name)
        return file.size if file else 0

    def names(self, directory: str) -> list[str]:
        """Names of the files in a directory, sorted, without the directory's own."""
        inside = f"{directory}/" if directory else ""
        begins = len(inside)
        return sorted([rest for name in self.files if name[:begins] == inside
                       and "/" not in (rest := name[begins:])])

    def directories(self) -> list[str]:
        """Names of the directories that hold a file, sorted."""
        return sorted({name.rpartition("/")[0] for name in self.files} - {""})

    def modified_ms(self, name: str) -> int:
        """When the file was last written, in epoch ms. FileNotFoundError without one."""
        return self._existing(name).modified_ms

    def pages(self, name: str) -> tuple[str, ...]:
        """The state of each page of 4,096 bytes: "dirty", "flushed" or "evicted"."""
        self._write_back()
        file = self.files.get(name) or File()
        return self._states(file, file.size)

    def _states(self, file: File, size: int) -> tuple[str, ...]:
        dirty = set(file.dirty_pages())
        return tuple(DIRTY if page in dirty else EVICTED if page in file.absent else FLUSHED
                     for page in range(pages_of(size)))

    def read(self, name: str, position: int = 0, size: int | None = None) -> bytes:
        """Bytes from `position`; fewer than `size` at the end of the file, none without one."""
        for fault in self.faults:
            fault.before_read(name)
        if position < 0 or size is not None and size < 0:
            _not_negative(name, min(position, size or 0))
        if name not in self.files:
            return b""
        file = self.files[name]
        data = file.read(position, file.size if size is None else position + size)
        return self._spoiled(name, position, data) if self.faults else data

    def _spoiled(self, name: str, position: int, data: bytes) -> bytes:
        for fault in self.faults:
            data = fault.spoiled(name, position, data)
        return data

    # -- the page cache -----------------------------------------------------------------------
    def sendfile(self, name: str, position: int, size: int) -> int:
        """Move bytes from the page cache to a socket: what reading those that are not there takes.

        They are there from then on; the clean pages that were used least recently make room. A
        file that was removed meanwhile is still open, and costs nothing.
        """
        file = self.files.get(name)
        if file is None:
            return 0
        pages = range(position // PAGE_BYTES, pages_of(position + size))
        missing = sum(page in file.absent for page in pages)
        file.absent.difference_update(pages)
        self._used(file, pages)
        return -(-missing // READ_AHEAD_PAGES) * self._cost.read_us

    def drop_caches(self) -> None:
        """Every clean page leaves the page cache, as with Linux's `vm.drop_caches`."""
        self._write_back()
        self._clean.clear()
        self.may_be_cold = True
        for file in self.files.values():
            file.absent = set(range(pages_of(len(file.data)))).difference(file.dirty_pages())

    def _write_back(self) -> None:
        """What has been dirty for long is on the platter.

        The flusher wakes every 5 s and takes files that have been dirty for 30 s. Nobody is told,
        so it is made up for when somebody writes or looks.
        """
        for file in self.files.values():
            if file.expires_ms <= self.now_ms:
                self._write_back_file(file)

    def _write_back_file(self, file: File) -> None:
        dirty = () if self._cost.page_cache_bytes is None else file.dirty_pages()
        file.flush()
        self._used(file, dirty)

    def _touched(self, file: File) -> None:
        """Before a write: what is due is written back without it, and its own time begins."""
        if file.expires_ms <= self.now_ms:
            self._write_back_file(file)
        if file.expires_ms == NEVER:
            file.expires_ms = -(-(self.now_ms + EXPIRE_MS) // WAKE_MS) * WAKE_MS
        file.modified_ms = self.now_ms

    def _used(self, file: File, pages: Iterable[int]) -> None:
        """These pages were used just now; where memory is short, others are evicted."""
        if self._cost.page_cache_bytes is None:
            return
        self._write_back()
        dirty = set(file.dirty_pages())
        for page in pages:
            if page not in dirty:
                self._clean.pop((file, page), None)
                self._clean[file, page] = None
        room = self._cost.page_cache_bytes // PAGE_BYTES - sum(
            len(one.dirty_pages()) for one in self.files.values())
        while len(self._clean) > max(0, room):
            oldest, page = next(iter(self._clean))
            del self._clean[oldest, page]
            oldest.absent.add(page)

    # -- writing ------------------------------------------------------------------------------
    def append(self, name: str, data: bytes) -> None:
        """Write behind the end, into the page cache."""
        if self.faults:
            self._may_write(name, self._held_bytes(name) + len(data))
        if name not in self.files:
            self.files[name] = File()
        file = self.files[name]
        self._touched(file)
        file.append(data)
        self.cost_us += self._cost.write_us + self._cost.write_us_per_kib * (len(data) >> 10)

    def write(self, name: str, position: int, data: bytes) -> None:
        """Write over what is at `position`, into the page cache; past the end zeros come between.

        It costs nothing: who writes so has the file in memory (mmap), as Kafka has its indexes.
        Errors: ValueError for a position below 0.
        """
        _not_negative(name, position)
        if self.faults:
            self._may_write(name, max(self._held_bytes(name), position + len(data)))
        file = self._made(name)
        file.write(position, data)

    def truncate(self, name: str, size: int) -> None:
        """Cut the file at `size` bytes, or extend it with zeros; it need not exist before.

        Zeros that nobody wrote take no room on the disk.
        """
        _not_negative(name, size)
        if self.faults:
            self._may_write(name, min(size, self._held_bytes(name)))
        self._made(name).truncate(size)

    def flush(self, name: str) -> None:
        """Everything written to this file so far reaches the platter."""
        if self.faults:
            self._may_write(name, self._held_bytes(name))
        if file := self.files.get(name):
            self._write_back_file(file)
            self.cost_us += self._cost.flush_us

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, at once, in place of one that has it already.

        Errors: FileNotFoundError where there is no file of the old name.
        """
        file = self._existing(old)
        self._may_write(old, len(file.data))
        del self.files[old]
        self.files[new] = file

    def delete(self, name: str) -> None:
        """The file is gone, if there was one."""
        self._may_write(name, 0)
        self._forget(self.files.pop(name, None))

    def _forget(self, file: File | None) -> None:
        """A file is gone, and with it its pages."""
        if file is not None and self._clean:
            self._clean = {key: None for key in self._clean if key[0] is not file}

    def replace(self, name: str, data: bytes) -> None:
        """Write a new file, flush it and rename it over the old one: all of it or none of it."""
        self._may_write(name, len(data))
        self._forget(self.files.get(name))
        self.files[name] = file = File()
        file.append(data)
        file.modified_ms = self.now_ms
        file.flush()
        self.cost_us += self._cost.flush_us

    def _made(self, name: str) -> File:
        file = self.files.get(name)
        if file is None:
            file = self.files[name] = File()
        self._touched(file)
        return file

    def _existing(self, name: str) -> File:
        if name not in self.files:
            raise FileNotFoundError(ENOENT, "no such file on this disk", name)
        return self.files[name]

    def snapshot(self) -> DiskSnapshot:
        """Frozen: what is written, and what of it is on the platter."""
        self._write_back()
        return DiskSnapshot(tuple(
            FileSnapshot(name, file.size, len(file.data), file.unflushed_bytes(),
                         self._states(file, len(file.data)))
            for name, file in sorted(self.files.items())))

    def _held_bytes(self, name: str) -> int:
        file = self.files.get(name)
        return len(file.data) if file else 0

    @property
    def used_bytes(self) -> int:
        """How much room all files take."""
        return sum(len(file.data) for file in self.files.values())

    def _may_write(self, name: str, held_bytes: int) -> None:
        """Ask the faults whether the file may take so much room."""
        for fault in self.faults:
            used = self.used_bytes
            fault.before_write(name, used, used - self._held_bytes(name) + held_bytes)

    # -- what happens to it -------------------------------------------------------------------
    def power_loss(self) -> None:
        """Keep what was flushed, and of the dirty pages those that were written back by luck."""
        self._write_back()
        for name in sorted(self.files):
            self.files[name].lose_power(self._draw)

    def copy_of(self, prefix: str) -> "Disk":
        """A disk of its own with the files whose names begin so: to look at, not to change."""
        copy = Disk(self._draw, self._cost)
        for name, file in self.files.items():
            if name.startswith(prefix):
                copy.append(name, self._spoiled(name, 0, file.read(0, len(file.data))))
                copy.truncate(name, file.size)
                copy.files[name].modified_ms = file.modified_ms
        return copy

    def lose(self) -> None:
        """The disk is replaced by an empty one, on which nothing is wrong."""
        self.files.clear()
        self._clean.clear()
        self.faults.clear()


def _not_negative(name: str, number: int) -> None:
    if number < 0:
        raise ValueError(f"{name}: positions and sizes begin at 0, given was {number}")
