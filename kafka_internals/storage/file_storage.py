"""FileStorage: a log directory on a real disk, to read; and a layer above any storage to write on.

Kafka's counterpart is the file system below `log.dirs`. What a real broker wrote is evidence, and
nobody may change it by looking. But loading a log mends what it finds, so the log of a directory
that was opened stands on an `OverlayStorage`: it writes there, in memory, and no file changes.
"""

import os
from collections.abc import Callable
from errno import ENOENT, EROFS
from pathlib import Path
from typing import NoReturn

from kafka_internals.storage.file_records import Storage


def _refused(what: str) -> Callable[..., NoReturn]:
    def refuse(self: "FileStorage", name: str, *_: object) -> NoReturn:
        raise OSError(EROFS, f"{what} refused: this log directory was opened to read", name)

    return refuse


class FileStorage:
    """The files below a directory. Nothing is held: each read opens its file.

    Every operation that would write raises OSError (EROFS) with the file's name.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def exists(self, name: str) -> bool:
        """True where there is such a file."""
        return (self.root / name).is_file()

    def size(self, name: str) -> int:
        """Length in bytes; 0 for a file that does not exist."""
        return (self.root / name).stat().st_size if self.exists(name) else 0

    def names(self, directory: str) -> list[str]:
        """Names of the files in a directory, sorted, without the directory's own."""
        inside = self.root / directory
        return sorted(one.name for one in inside.iterdir() if one.is_file()) \
            if inside.is_dir() else []

    def directories(self) -> list[str]:
        """Names of the directories below the root, sorted."""
        return sorted(one.name for one in self.root.iterdir() if one.is_dir())

    def modified_ms(self, name: str) -> int:
        """When the file was last written, in epoch ms. FileNotFoundError without one."""
        return (self.root / name).stat().st_mtime_ns // 1_000_000

    def read(self, name: str, position: int = 0, size: int | None = None) -> bytes:
        """Bytes from `position`; fewer than `size` at the end of the file, none without one."""
        if not self.exists(name):
            return b""
        with (self.root / name).open("rb") as file:
            file.seek(position)
            return file.read(-1 if size is None else size)

    append, write, truncate, flush = map(_refused, ("append", "write", "truncate", "flush"))
    rename, delete, replace = map(_refused, ("rename", "delete", "replace"))


class _Own:
    """A file of the overlay. Zeros behind `data`, up to `size` bytes, take no room."""

    __slots__ = ("data", "size", "modified_ms")

    def __init__(self, content: bytes, modified_ms: int) -> None:
        self.data, self.size = bytearray(content.rstrip(b"\0")), len(content)
        self.modified_ms = modified_ms


class OverlayStorage:
    """Another storage with changes on top: copy on write, and what is below never changes.

    `now_ms`: when its own files are written, epoch ms.
    """

    def __init__(self, below: Storage, now_ms: int = 0) -> None:
        self._below, self.now_ms = below, now_ms
        self._own: dict[str, _Own | None] = {}          # None: deleted here

    # -- reading ------------------------------------------------------------------------------
    def exists(self, name: str) -> bool:
        """True where there is such a file."""
        return self._own[name] is not None if name in self._own else self._below.exists(name)

    def size(self, name: str) -> int:
        """Length in bytes; 0 for a file that does not exist."""
        if name not in self._own:
            return self._below.size(name)
        own = self._own[name]
        return own.size if own else 0

    def names(self, directory: str) -> list[str]:
        """Names of the files in a directory, sorted, without the directory's own."""
        inside = f"{directory}/" if directory else ""
        found = {inside + name for name in self._below.names(directory)}
        found |= {name for name in self._own if name.rpartition("/")[0] == directory}
        return sorted(name[len(inside):] for name in found if self.exists(name))

    def directories(self) -> list[str]:
        """Names of the directories, sorted."""
        here = {name.rpartition("/")[0] for name, own in self._own.items() if own} - {""}
        return sorted({*self._below.directories(), *here})

    def modified_ms(self, name: str) -> int:
        """When the file was last written, in epoch ms. FileNotFoundError without one."""
        if name not in self._own:
            return self._below.modified_ms(name)
        return self._existing(name).modified_ms

    def read(self, name: str, position: int = 0, size: int | None = None) -> bytes:
        """Bytes from `position`; fewer than `size` at the end of the file, none without one."""
        if name not in self._own:
            return self._below.read(name, position, size)
        if (own := self._own[name]) is None:
            return b""
        end = own.size if size is None else min(own.size, position + size)
        return bytes(own.data[position:end]).ljust(end - position, b"\0")

    # -- writing ------------------------------------------------------------------------------
    def _existing(self, name: str) -> _Own:
        if not self.exists(name):
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT), name)
        if name not in self._own:
            self._own[name] = _Own(self._below.read(name), self._below.modified_ms(name))
        return self._own[name]

    def _made(self, name: str) -> _Own:
        if not self.exists(name):
            self._own[name] = _Own(b"", self.now_ms)
        own = self._existing(name)
        own.modified_ms = self.now_ms
        return own

    def append(self, name: str, data: bytes) -> None:
        """Write behind the end."""
        self.write(name, self.size(name), data)

    def write(self, name: str, position: int, data: bytes) -> None:
        """Write over what is at `position`; past the end zeros come between."""
        own = self._made(name)
        own.data += bytes(max(0, position - len(own.data)))
        own.data[position:position + len(data)] = data
        own.size = max(own.size, len(own.data))

    def truncate(self, name: str, size: int) -> None:
        """Cut the file at `size` bytes, or extend it with zeros; it need not exist before."""
        own = self._made(name)
        own.size = size
        del own.data[size:]

    def flush(self, name: str) -> None:
        """Nothing to do: it is in memory only."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name. FileNotFoundError where there is none of the old name."""
        self._own[new], self._own[old] = self._existing(old), None

    def delete(self, name: str) -> None:
        """The file is gone, if there was one."""
        self._own[name] = None

    def replace(self, name: str, data: bytes) -> None:
        """Write a new file in place of the old one."""
        self._own[name] = _Own(data, self.now_ms)
