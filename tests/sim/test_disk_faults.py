"""A fault of a disk is an object on it: reads lie, writes are refused, nothing is half done."""

import errno

import pytest

from kafka_internals.sim.disk import Disk
from kafka_internals.sim.disk_faults import CorruptSector, FailedDisk, FullDisk


@pytest.fixture
def disk() -> Disk:
    made = Disk(lambda n: 0)
    made.append("log", b"abcdef")
    return made


def test_a_corrupt_sector_gives_another_byte_wherever_a_read_begins(disk):
    disk.faults.append(CorruptSector("log", 2, 0x20))
    assert disk.read("log") == b"abCdef"
    assert [disk.read("log", at, 2) for at in range(5)] == [b"ab", b"bC", b"Cd", b"de", b"ef"]
    assert disk.copy_of("log").read("log") == b"abCdef"
    disk.faults.clear()
    assert disk.read("log") == b"abcdef"


def test_a_corrupt_sector_is_one_files_and_may_lie_behind_its_end(disk):
    disk.faults.append(CorruptSector("log", 6))
    disk.append("other", b"abcdefg")
    assert (disk.read("log"), disk.read("other")) == (b"abcdef", b"abcdefg")
    disk.append("log", b"\0")
    assert disk.read("log") == b"abcdef\xff"


WRITES = (lambda disk: disk.append("log", b"ghijk"), lambda disk: disk.write("log", 9, b"xy"),
          lambda disk: disk.replace("log", bytes(11)),
          lambda disk: disk.append("another", b"ghijk"))


@pytest.mark.parametrize("write", WRITES)
def test_a_full_disk_refuses_what_does_not_fit_and_nothing_is_half_written(disk, write):
    disk.faults.append(FullDisk(10))
    with pytest.raises(OSError, match="11 bytes are needed, there is room for 10") as refused:
        write(disk)
    assert refused.value.errno == errno.ENOSPC
    assert disk.read("log") == b"abcdef" and not disk.exists("another")


def test_a_full_disk_takes_what_fits_and_what_needs_no_more_room(disk):
    disk.append("another", b"xy")
    disk.faults.append(FullDisk(3))
    disk.write("log", 0, b"ABCDEF")
    disk.flush("log")
    disk.rename("log", "renamed")
    disk.delete("another")
    disk.truncate("renamed", 1)
    disk.append("renamed", b"yz")
    disk.truncate("renamed", 5)                # zeros that nobody wrote
    assert disk.read("renamed") == b"Ayz\0\0"


ALL = (*WRITES, lambda disk: disk.read("log"), lambda disk: disk.flush("log"),
       lambda disk: disk.delete("log"), lambda disk: disk.rename("log", "new"))


@pytest.mark.parametrize("act", ALL)
def test_on_a_failed_disk_nothing_works_and_nothing_changes(disk, act):
    disk.faults.append(FailedDisk())
    with pytest.raises(OSError) as failed:
        act(disk)
    assert failed.value.errno == errno.EIO
    assert list(disk.files) == ["log"] and disk.files["log"].data == b"abcdef"
    assert disk.pages("log") == ("dirty",)


def test_a_failure_may_be_that_of_one_directory(disk):
    disk.faults.append(FailedDisk("orders-0/"))
    disk.append("log", b"g")
    with pytest.raises(OSError, match="orders-0/1.log"):
        disk.append("orders-0/1.log", b"x")


def test_a_new_disk_has_no_faults(disk):
    disk.faults.append(FailedDisk())
    disk.lose()
    disk.append("log", b"new")
    assert disk.read("log") == b"new"


@pytest.mark.parametrize("make", [lambda: FullDisk(-1), lambda: CorruptSector("log", -1),
                                  lambda: CorruptSector("log", 0, 0)])
def test_faults_that_mean_nothing_are_refused(make):
    with pytest.raises(ValueError):
        make()
