"""Written is in the page cache, flushed is on the platter."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from kafka_internals.sim.disk import Disk, DiskCost
from kafka_internals.sim.disk_file import PAGE_BYTES, SECTOR_BYTES
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
        one.append("log", bytes(4 * PAGE_BYTES + 100))
        one.power_loss()
        return one.size("log")

    sizes = [kept(seed) for seed in range(200)]
    assert sizes == [kept(seed) for seed in range(200)]
    assert {0, 4 * PAGE_BYTES + 100, *range(PAGE_BYTES, 5 * PAGE_BYTES, PAGE_BYTES)} <= set(sizes)
    assert any(size % PAGE_BYTES not in (0, 100) for size in sizes)
    assert all(size % SECTOR_BYTES in (0, 100) for size in sizes)


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
    assert one.read("log") in (b"ab", b"abXY")


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


# -- pages ----------------------------------------------------------------------------------------
def dice(*throws):
    """A disk whose dice show what is given: 3 writes a page back, 0 does not; then 0..15."""
    left = list(throws)
    return Disk(lambda n: left.pop(0))


def filled(one, pages, byte=b"o"):
    one.append("log", byte * PAGE_BYTES * pages)
    one.flush("log")
    return one


def content(one, size=PAGE_BYTES):
    """What each page of the file consists of: "o", "n", or zeros as "."."""
    data = one.read("log").replace(b"\0", b".").decode()
    return ["".join(dict.fromkeys(data[at:at + size])) for at in range(0, len(data), size)]


def test_a_page_in_the_middle_may_be_a_hole_while_a_later_one_is_there():
    one = dice(3, 0, 3, 0, 15)
    one.append("log", b"n" * 4 * PAGE_BYTES)
    one.power_loss()
    assert content(one) == ["n", ".", "n"]


def test_a_page_that_was_flushed_before_falls_back_to_what_it_held():
    one = filled(dice(0, 3, 15), 3)
    one.write("log", 0, b"n" * 2 * PAGE_BYTES)
    one.power_loss()
    assert content(one) == ["o", "n", "o"]


def test_the_last_page_that_was_written_may_be_torn_between_sectors():
    one = filled(dice(3, 3), 1)
    one.write("log", 0, b"n" * PAGE_BYTES)
    one.power_loss()
    assert content(one, SECTOR_BYTES) == ["n"] * 3 + ["o"] * 5
    new = dice(3, 3)
    new.append("log", b"n" * PAGE_BYTES)
    new.power_loss()
    assert content(new, SECTOR_BYTES) == ["n"] * 3


def test_a_flush_in_the_middle_of_a_page_protects_its_beginning():
    one = dice(0)
    one.append("log", b"old")
    one.flush("log")
    one.append("log", b"new")
    one.power_loss()
    assert one.read("log") == b"old"


def test_what_is_appended_after_a_cut_is_as_dirty_as_any_other():
    one = filled(dice(0), 1)
    one.truncate("log", 2)
    one.append("log", b"n" * PAGE_BYTES)
    assert one.pages("log") == ("dirty", "dirty")
    one._draw = lambda n: 0
    one.power_loss()
    assert one.read("log") == b"oo"


def test_a_page_that_was_written_over_twice_falls_back_to_what_was_flushed():
    one = filled(dice(0), 1)
    one.write("log", 0, b"n")
    one.write("log", 1, b"n")
    one.power_loss()
    assert content(one) == ["o"]


def test_the_state_of_each_page_can_be_seen():
    one = filled(dice(), 2)
    assert one.pages("log") == ("flushed", "flushed")
    one.append("log", b"n")
    one.write("log", 10, b"n")
    assert one.pages("log") == ("dirty", "flushed", "dirty")
    one.flush("log")
    assert one.pages("log") == ("flushed",) * 3 and one.pages("no such file") == ()


def test_writing_past_the_end_and_extending_leave_zeros():
    one = dice()
    one.truncate("index", 8)
    assert (one.read("index"), one.pages("index")) == (bytes(8), ("flushed",))
    one.write("index", 10, b"ab")
    one.write("index", 0, b"xy")
    assert one.read("index") == b"xy" + bytes(8) + b"ab"


writes = some.lists(some.one_of(
    some.tuples(some.just("append"), some.binary(max_size=700)),
    some.tuples(some.just("write"), some.integers(0, 9_000), some.binary(max_size=5_000)),
    some.tuples(some.just("truncate"), some.integers(0, 9_000)),
    some.tuples(some.just("flush"))), max_size=12)


@given(writes, some.integers(0, 99))
def test_every_sector_is_new_or_old_after_a_power_loss_and_a_flush_leaves_no_choice(steps, seed):
    one, stable = disk(seed), b""
    one.append("log", b"")
    for step, *arguments in steps:
        getattr(one, step)("log", *arguments)
        if step == "flush":
            stable = one.read("log")
        if step == "truncate":
            stable = stable[:arguments[0]]
    written, clean = one.read("log"), set(one.pages("log")) <= {"flushed"}
    one.power_loss()
    kept = one.read("log")
    assert len(stable) <= len(kept) <= len(written) and (not clean or kept == written)
    for at in range(0, len(kept), SECTOR_BYTES):
        old = stable[at:at + SECTOR_BYTES]
        sector = kept[at:at + SECTOR_BYTES]
        assert sector in (written[at:at + len(sector)], old.ljust(len(sector), b"\0"))


# -- the directory --------------------------------------------------------------------------------
def test_names_are_those_of_one_directory():
    one = disk()
    for name in ("a-0/2.log", "a-0/1.log", "a-0/x/y", "a-01/1.log", "meta"):
        one.append(name, b"x")
    assert one.names("a-0") == ["1.log", "2.log"]
    assert (one.names(""), one.names("b")) == (["meta"], [])
    assert one.exists("meta") and not one.exists("a-0")


def test_a_rename_replaces_and_a_deletion_is_final():
    one = dice(0)
    one.append("new", b"new")
    one.replace("log", b"old")
    one.rename("new", "log")
    assert (one.read("log"), one.exists("new")) == (b"new", False)
    one.power_loss()                                  # the name was kept, what it names was not
    assert one.exists("log") and one.read("log") == b""
    one.delete("log")
    one.delete("log")
    assert not one.exists("log")


def test_what_is_not_there_has_no_time_and_cannot_be_renamed():
    one = disk()
    for act in (lambda: one.rename("a", "b"), lambda: one.modified_ms("a")):
        with pytest.raises(FileNotFoundError, match="no such file on this disk: 'a'"):
            act()


def test_positions_and_sizes_below_zero_are_refused_and_nothing_is_made():
    one = disk()
    for act in (lambda: one.write("a", -1, b"x"), lambda: one.truncate("a", -1),
                lambda: one.read("a", -1), lambda: one.read("a", 0, -1)):
        with pytest.raises(ValueError, match="a: positions and sizes begin at 0, given was -1"):
            act()
    assert one.files == {}


def test_a_file_knows_when_it_was_written_last():
    one = disk()
    for now_ms, act in enumerate((lambda: one.append("a", b"x"), lambda: one.write("a", 0, b"y"),
                                  lambda: one.truncate("a", 0), lambda: one.replace("a", b"z"))):
        one.now_ms = now_ms
        act()
        assert one.modified_ms("a") == now_ms
    one.now_ms = 9
    one.flush("a")
    one.rename("a", "b")
    assert one.modified_ms("b") == one.copy_of("b").modified_ms("b") == 3


def test_a_copy_takes_a_whole_directory():
    one = disk()
    one.append("a-0/1.log", b"x")
    one.append("b-0/1.log", b"x")
    assert list(one.copy_of("a-0/").files) == ["a-0/1.log"]
