"""FileStorage reads real files and writes none; OverlayStorage writes above, and nothing below."""

import pytest

from kafka_internals.sim.disk import Disk
from kafka_internals.storage.file_storage import FileStorage, OverlayStorage

WRITES = {"append": ("a/1.log", b"x"), "write": ("a/1.log", 0, b"x"), "truncate": ("a/1.log", 0),
          "flush": ("a/1.log",), "rename": ("a/1.log", "a/2.log"), "delete": ("a/1.log",),
          "replace": ("a/1.log", b"x")}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.log").write_bytes(b"0123456789")
    (tmp_path / "meta").write_bytes(b"m")
    return FileStorage(tmp_path)


def test_files_are_read_by_position_and_size(files):
    assert files.read("a/1.log") == b"0123456789" and files.read("a/1.log", 8, 5) == b"89"
    assert files.read("a/1.log", 2, 3) == b"234" and files.read("none") == b""
    assert (files.size("a/1.log"), files.size("none")) == (10, 0)
    assert files.exists("meta") and not files.exists("a") and not files.exists("none")
    assert files.names("") == ["meta"] and files.names("a") == ["1.log"] and files.names("b") == []
    assert files.directories() == ["a"] and files.modified_ms("meta") > 0
    with pytest.raises(FileNotFoundError, match="none"):
        files.modified_ms("none")


@pytest.mark.parametrize("name", WRITES)
def test_every_write_is_refused_by_name(files, name):
    with pytest.raises(OSError, match=f"{name} refused: .* opened to read.*a/1.log"):
        getattr(files, name)(*WRITES[name])
    assert files.read("a/1.log") == b"0123456789"


def _story(storage) -> None:
    storage.append("a/1.log", b"ab")
    storage.write("a/1.log", 1, b"--")
    storage.write("a/3.index", 6, b"z")
    storage.truncate("a/3.index", 40)
    storage.append("a/3.index", b"end")
    storage.truncate("a/4.index", 16)
    storage.truncate("a/4.index", 8)
    storage.rename("a/1.log", "a/1.log.deleted")
    storage.replace("b/new", b"zeros\0\0")
    storage.truncate("b/new", 6)
    storage.flush("b/new")
    storage.delete("meta")
    storage.delete("never")


def test_an_overlay_does_what_a_disk_does(files):
    disk, overlay = Disk(lambda n: 0), OverlayStorage(files, now_ms=7)
    disk.now_ms = 7
    disk.append("a/1.log", b"0123456789")
    disk.append("meta", b"m")
    for storage in (disk, overlay):
        _story(storage)
    for directory in ("", "a", "b", "c"):
        assert overlay.names(directory) == disk.names(directory)
        for name in disk.names(directory):
            path = f"{directory}/{name}".lstrip("/")
            assert overlay.read(path) == disk.read(path) and overlay.exists(path)
            assert overlay.size(path) == disk.size(path)
            assert overlay.read(path, 3, 5) == disk.read(path, 3, 5)
            assert overlay.modified_ms(path) == disk.modified_ms(path) == 7
    assert overlay.directories() == disk.directories() == ["a", "b"]
    for storage in (disk, overlay):
        with pytest.raises(FileNotFoundError, match="a/1.log"):
            storage.rename("a/1.log", "a/9.log")
    assert overlay.read("meta") == b"" and overlay.size("meta") == 0


def test_below_an_overlay_nothing_changes_and_room_is_not_taken(files):
    overlay = OverlayStorage(files)
    assert overlay.modified_ms("meta") == files.modified_ms("meta")
    _story(overlay)
    overlay.truncate("a/5.index", 1 << 40)
    assert overlay.size("a/5.index") == 1 << 40
    assert overlay.read("a/5.index", (1 << 40) - 4, 9) == b"\0\0\0\0"
    assert files.names("") == ["meta"] and files.names("a") == ["1.log"]
    assert files.read("a/1.log") == b"0123456789" and files.directories() == ["a"]
