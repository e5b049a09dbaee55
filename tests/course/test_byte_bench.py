"""The bench for one byte: what is written is checked, and what it says comes from the engine."""

import pytest

from kafka_internals.course.byte_bench import byte_bench
from kafka_internals.storage.dump_verdict import changed
from kafka_internals.viz.byte_view import changed_byte_view
from tests.storage.segments import batch

TWO = batch(0, 1).buffer + batch(2, 3).buffer
INDEX = bytes((0, 0, 0, 9, 0, 0, 16, 0))


@pytest.fixture
def bench():
    return byte_bench(TWO, position=70)


def press(bench, label: str) -> str:
    for one in bench.box.children[0].children[0].children:
        if getattr(one, "description", "") == label and hasattr(one, "click"):
            one.click()
    return bench.message.value


def test_it_begins_with_the_byte_as_it_was(bench):
    assert repr(bench) == (f"Run this cell to change one of {len(TWO)} bytes and see what "
                           f"checksum, reader and recovery say.")
    assert bench._value.value == f"{TWO[70]:02x}" and bench.player.card["steps"] == 1
    assert "as it was written" in bench.message.value


def test_a_changed_byte_is_the_same_film_as_the_view_in_the_same_player(bench):
    before = bench.player
    bench._value.value = "ff"
    assert bench.player is before
    one = changed(TWO, 70, 0xff)
    assert bench.player.source == changed_byte_view(one).source
    assert "becomes 0xff: noticed by checksum, reader, recovery." in bench.message.value
    press(bench, "As it was")
    assert bench.player.card["steps"] == 1 and bench._value.value == f"{TWO[70]:02x}"


def test_a_byte_before_the_checksum_that_nobody_notices(bench):
    bench._position.value, bench._value.value = "12", "7f"
    assert "in partition_leader_epoch" in bench.message.value
    assert "nobody notices" in bench.message.value


def test_the_buttons_step_through_the_file_and_stop_at_its_ends(bench):
    bench._position.value = "0x1"
    assert "Byte 0 is" in press(bench, "One back")
    assert "byte -1 is not in this file: it has 0 to" in press(bench, "One back")
    assert bench._position.value == "0"
    assert "Byte 1 is" in press(bench, "One on")


@pytest.mark.parametrize("position, value, said", [
    ("x", "00", "'x' is no position: write a number like 23 or 0x17"),
    ("9999", "00", "byte 9999 is not in this file: it has 0 to"),
    ("5", "100", "'100' is no byte: write 00 to ff"),
    ("5", "zz", "'zz' is no byte: write 00 to ff"),
    ("5", "", "'' is no byte: write 00 to ff")])
def test_what_is_no_byte_is_told_and_the_film_stays(bench, position, value, said):
    film = bench.player.source
    bench._typing = False                          # both are written before anything is asked
    bench._position.value, bench._value.value = position, value
    bench._typing = True
    told = press(bench, "Change").replace("&#x27;", "'")
    assert f"ValueError: {said}" in told and "role='alert'" in told
    assert bench.player.source is film


def test_a_value_may_be_written_with_0x_and_submitted_by_the_button(bench):
    bench._value.value = "0xFE"
    press(bench, "Change")
    assert "becomes 0xfe" in bench.message.value


def test_other_files_and_an_empty_one():
    bench = byte_bench(INDEX, ".index", position=3, name="00000000000000000000.index")
    bench._value.value = "0a"
    assert "nobody notices" in bench.message.value
    with pytest.raises(ValueError, match="a file without a byte has none to change"):
        byte_bench(b"")
    with pytest.raises(ValueError, match="byte 8 is not in this file: it has 0 to 7"):
        byte_bench(INDEX, ".index", position=8)
