"""Written is in the page cache, flushed is on the platter."""

import pytest

from kafka_internals.sim.disk import Disk, DiskCost
from kafka_internals.sim.world import World


def disk(seed=0, **cost):
    return Disk(World(seed).draw("machine", "power loss"), DiskCost(**cost))


def test_what_was_written_can_be_read_at_once():
    one = disk()
    one.append("log", b"abc")
    one.append("log", b"def")
    assert (one.read("log"), one.read("log", 2, 3), one.size("log")) == (b"abcdef", b"cde", 6)
    assert (one.read("log", 5, 99), one.read("none"), one.size("none")) == (b"f", b"", 0)


def test_power_loss_keeps_what_was_flushed():
    for seed in range(30):
        one = disk(seed)
        one.append("log", b"flushed")
        one.flush("log")
        one.append("log", b" or not")
        one.power_loss()
        assert b"flushed or not".startswith(one.read("log")) and one.size("log") >= 7
        kept = one.read("log")
        one.power_loss()                              # what survived once is on the platter
        assert one.read("log") == kept


def test_what_a_power_loss_keeps_beside_is_luck_and_seeded():
    def kept(seed):
        one = disk(seed)
        one.append("log", bytes(100))
        one.power_loss()
        return one.size("log")

    sizes = [kept(seed) for seed in range(40)]
    assert sizes == [kept(seed) for seed in range(40)]
    assert len(set(sizes)) > 20 and all(0 <= size <= 100 for size in sizes)


def test_nothing_is_drawn_where_nothing_was_unflushed():
    def refuse(n):
        raise AssertionError("no dice are needed")

    one = Disk(refuse)
    one.append("log", b"abc")
    one.flush("log")
    one.power_loss()
    assert one.read("log") == b"abc"


def test_a_replaced_file_survives_whole():
    one = disk()
    one.replace("checkpoint", b"old")
    one.replace("checkpoint", b"new")
    one.power_loss()
    assert one.read("checkpoint") == b"new"


def test_truncating_also_takes_what_was_flushed():
    one = disk()
    one.append("log", b"abcdef")
    one.flush("log")
    one.truncate("log", 2)
    one.append("log", b"XY")
    one.power_loss()
    assert one.read("log") in (b"ab", b"abX", b"abXY")


def test_a_lost_disk_is_empty():
    one = disk()
    one.replace("checkpoint", b"x")
    one.lose()
    assert one.read("checkpoint") == b"" and one.files == {}


def test_a_copy_is_a_disk_of_its_own():
    one = disk()
    one.append("log", b"abc")
    copy = one.copy_of("log")
    copy.truncate("log", 1)
    assert (one.read("log"), copy.read("log")) == (b"abc", b"a")


@pytest.mark.parametrize("size, cost_us", [(10, 4), (1023, 4), (1024, 5), (10 * 1024, 14)])
def test_a_write_costs_by_its_size(size, cost_us):
    one = disk(write_us=4, write_us_per_kib=1)
    one.append("log", bytes(size))
    assert (one.take_cost_us(), one.take_cost_us()) == (cost_us, 0)


def test_a_flush_costs_and_reading_is_free():
    one = disk(write_us=1, flush_us=500)
    one.append("log", b"x")
    one.flush("log")
    one.flush("no such file")
    one.read("log")
    assert one.take_cost_us() == 501
