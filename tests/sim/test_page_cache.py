"""The page cache: what is read from the disk, and what leaves when memory is short."""

from kafka_internals.sim.disk import Disk, DiskCost
from kafka_internals.sim.disk_file import PAGE_BYTES

READ_US = 100


def disk(pages=None):
    size = None if pages is None else pages * PAGE_BYTES
    return Disk(lambda n: 0, DiskCost(0, 0, 0, READ_US, size))


def flushed(one, name, pages):
    one.append(name, b"x" * pages * PAGE_BYTES)
    one.flush(name)


def states(one, name):
    return "".join(page[0] for page in one.pages(name))      # dirty, flushed, evicted


def test_what_was_written_is_in_the_cache_and_costs_nothing_to_send():
    one = disk()
    flushed(one, "log", 3)
    assert one.sendfile("log", 0, 3 * PAGE_BYTES) == 0 and states(one, "log") == "fff"


def test_after_the_cache_was_dropped_a_read_costs_and_the_next_does_not():
    one = disk()
    flushed(one, "log", 3)
    one.drop_caches()
    assert states(one, "log") == "eee"
    assert one.sendfile("log", 0, 2 * PAGE_BYTES) == READ_US and states(one, "log") == "ffe"
    assert one.sendfile("log", 100, 100) == 0
    assert one.read("log", 2 * PAGE_BYTES, 1) == b"x"        # the bytes were never gone


def test_dirty_pages_stay():
    one = disk()
    flushed(one, "log", 1)
    one.append("log", b"y" * PAGE_BYTES)
    one.drop_caches()
    assert states(one, "log") == "ed"


def test_a_page_that_is_written_again_is_in_the_cache():
    one = disk()
    flushed(one, "log", 2)
    one.append("log", b"half")
    one.flush("log")
    one.drop_caches()
    one.append("log", b"more")
    one.write("log", 10, b"there")
    assert states(one, "log") == "ded"
    one.truncate("log", PAGE_BYTES)
    one.flush("log")
    assert states(one, "log") == "f"


def test_the_system_reads_ahead():
    one = disk()
    flushed(one, "log", 65)
    one.drop_caches()
    assert one.sendfile("log", 0, 65 * PAGE_BYTES) == 3 * READ_US


def test_clean_pages_that_were_used_least_recently_make_room():
    one = disk(pages=3)
    flushed(one, "a", 2)
    flushed(one, "b", 1)
    assert one.sendfile("a", 0, 1) == 0                      # the first page of a is used again
    flushed(one, "c", 1)
    assert (states(one, "a"), states(one, "b"), states(one, "c")) == ("fe", "f", "f")
    assert one.sendfile("a", PAGE_BYTES, 1) == READ_US
    assert states(one, "b") == "e"


def test_dirty_pages_take_room_from_clean_ones():
    one = disk(pages=3)
    flushed(one, "old", 2)
    one.append("log", b"x" * 2 * PAGE_BYTES)
    flushed(one, "other", 1)
    assert states(one, "log") == "dd"
    assert states(one, "old") == "ee"


def test_files_that_are_gone_take_no_room_and_cost_nothing():
    one = disk(pages=2)
    flushed(one, "old", 2)
    one.delete("old")
    flushed(one, "new", 2)
    assert states(one, "new") == "ff" and one.sendfile("old", 0, 10) == 0


def test_a_file_keeps_its_pages_under_another_name():
    one = disk()
    flushed(one, "a", 1)
    one.drop_caches()
    one.rename("a", "b")
    assert one.sendfile("b", 0, 1) == READ_US


def test_what_was_dirty_for_half_a_minute_is_written_back_when_the_flusher_wakes():
    one = disk()
    one.now_ms = 1_000
    one.append("log", b"x" * PAGE_BYTES)
    one.now_ms = 34_999
    assert states(one, "log") == "d"
    one.now_ms = 35_000                                     # 31 s would do; it wakes every 5 s
    assert states(one, "log") == "f"


def test_what_is_written_after_that_has_its_own_half_minute():
    one = disk()
    one.append("log", b"x" * PAGE_BYTES)
    one.now_ms = 40_000
    one.append("log", b"y" * PAGE_BYTES)
    assert states(one, "log") == "fd"
    one.now_ms = 69_999
    assert states(one, "log") == "fd"
    one.write("log", 10, b"again")                          # begins no half minute anew
    one.now_ms = 70_000
    assert states(one, "log") == "ff"


def test_a_file_that_is_written_all_the_time_is_written_back_all_the_same():
    one = disk()
    for one.now_ms in range(0, 60_001, 1_000):
        one.append("log", b"x" * PAGE_BYTES)
    assert states(one, "log") == "f" * 60 + "d"


def test_a_power_loss_takes_nothing_that_was_written_back():
    one = disk()
    one.append("log", b"x" * PAGE_BYTES)
    one.now_ms = 30_000
    one.append("log", b"y" * PAGE_BYTES)
    one.power_loss()                                        # the dice of this disk save nothing
    assert one.read("log") == b"x" * PAGE_BYTES


def test_where_memory_is_short_what_was_written_back_may_be_evicted():
    one = disk(pages=2)
    one.append("old", b"x" * 2 * PAGE_BYTES)
    one.now_ms = 30_000
    flushed(one, "new", 1)
    assert states(one, "old") == "ef"
