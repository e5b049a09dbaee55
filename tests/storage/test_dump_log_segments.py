"""DumpLogSegments: every byte of a file belongs to one field, and each field says its value."""

import random

import pytest

from kafka_internals.record_batch import LAYOUT, encode
from kafka_internals.storage.dump_log_segments import NOT_READABLE, dump
from tests.golden.cases import GOLDEN, vector

HEADER = [field.name for field in LAYOUT]
BARE = ["length", "attributes", "timestamp_delta", "offset_delta", "key length"]
FILES = [pytest.param(path, id=path.relative_to(GOLDEN / "storage").as_posix())
         for path in sorted((GOLDEN / "storage").rglob("*/end/*"))
         if path.suffix in (".log", ".index", ".timeindex", ".txnindex", ".snapshot")
         and 0 < path.stat().st_size < 20_000]


def _values(content: bytes, group: str) -> dict[str, str]:
    return {one.name: one.value for one in dump(content).fields if one.group == group}


def _covers(shown) -> bool:
    at = 0
    for one in shown.fields:
        if one.start != at or one.end <= at or not one.name or not one.meaning:
            return False
        at = one.end
    return at == len(shown.content)


def test_g_a_2_every_field_is_named_with_its_value():
    assert _values(vector("G-A-2"), "batch 0") == dict(zip(HEADER, (
        "0", "58", "-1", "2", "0x716a6189", "0", "0", "1000", "1000", "-1", "-1", "-1", "1")))
    assert _values(vector("G-A-2"), "batch 0 record 0") == dict(zip(
        (*BARE, "key", "value length", "value", "headers count"),
        ("8", "0", "0", "0", "1", '"k"', "1", '"v"', "0")))


def test_g_a_3_nulls_and_headers_are_taken_apart():
    content = vector("G-A-3")
    assert _values(content, "batch 5") == dict(zip(HEADER, (
        "5", "72", "3", "2", "0xec8ff1fb", "16", "1", "1700000000000", "1700000000007", "9", "1",
        "0", "2")))
    assert _values(content, "batch 5 record 0") == dict(zip(
        (*BARE, "value length", "value", "headers count"),
        ("7", "0", "0", "0", "-1 (null)", "1", '"a"', "0")))
    assert _values(content, "batch 5 record 1") == {
        **dict(zip((*BARE, "key"), ("14", "0", "7", "1", "1", '"k"'))),
        "value length": "-1 (null)", "headers count": "2",
        "header 0 name length": "1", "header 0 name": '"h"', "header 0 value length": "1",
        "header 0 value": '"x"', "header 1 name length": "1", "header 1 name": '"g"',
        "header 1 value length": "-1 (null)"}
    parts = dict(dump(content).field_at(71).parts)
    assert parts == {"bits": "0|0001110", "without zig-zag": "14", "number": "7",
                     "timestamp": "1700000000000 + 7 = 1700000000007"}
    assert dict(dump(content).field_at(21).parts)["4 transactional"] == "yes"


@pytest.mark.parametrize("outcome, number", [("COMMIT", "1"), ("ABORT", "0")])
def test_g_a_4_a_marker_says_what_was_decided_and_by_whom(outcome, number):
    content = vector(f"G-A-4 {outcome}")
    values = _values(content, "batch 7 record 0")
    assert [values[name] for name in ("key version", "key type", "value version",
                                      "value coordinator_epoch")] == ["0", number, "0", "4"]
    assert dict(dump(content).field_at(68).parts) == {"ControlRecordType": outcome}


def test_g_a_7_g_a_8_entries_and_producers_have_their_values():
    shown = dump(bytes.fromhex("0000002900001000"), ".index", base_offset=100)
    assert [one.value for one in shown.fields] == ["41", "4096"]
    assert shown.fields[0].parts == (("offset", "100 + 41 = 141"),)
    shown = dump(bytes.fromhex("0000000000000000000900000000000000050000000000000007"
                               "0000000000000008"), ".txnindex")
    assert [one.value for one in shown.fields] == ["0", "9", "5", "7", "8"]
    shown = dump(bytes.fromhex("00012bb340f1000000010000000000000009000100000001000000000000000600"
                               "0000010000018bcfe5680700000004ffffffffffffffff"), ".snapshot")
    assert shown.error == ""
    assert [one.value for one in shown.fields] == [
        "1", "0x2bb340f1", "1", "9", "1", "1", "6", "1", "1700000000007", "4", "-1"]


def test_zeros_behind_the_last_entry_are_room_for_more():
    shown = dump(bytes.fromhex("0000002900001000") + bytes(8 * 1000), ".index")
    assert [(one.name, one.value) for one in shown.fields[2:]] == [
        ("preallocated", "1000 entries")]


def test_a_checkpoint_is_told_line_by_line():
    shown = dump(b"0\n2\norders 0 41\norders 1 7\n", "checkpoint")
    assert [(one.name, one.value) for one in shown.fields] == [
        ("version", "0"), ("count", "2"), ("entry 0", "orders 0 41"), ("entry 1", "orders 1 7")]
    assert "Expected 3 entries" in dump(b"0\n3\norders 0 41\n", "checkpoint").error


def test_compressed_records_are_one_blob():
    content = encode([(1, b"k", b"v" * 200, ())], compression_type="gzip")
    blob = dump(content).fields[-1]
    assert (blob.name, blob.value, blob.end) == ("records", "gzip", len(content))
    assert dict(blob.parts) == {"decompressed": "210 bytes"}


@pytest.mark.parametrize("path", FILES)
def test_every_byte_of_a_recorded_file_belongs_to_exactly_one_field(path):
    shown = dump(path.read_bytes(), path.suffix)
    assert _covers(shown)
    assert shown.error or NOT_READABLE not in {one.name for one in shown.fields}


@pytest.mark.parametrize("kind", [".log", ".index", ".timeindex", ".txnindex", ".snapshot",
                                  "checkpoint"])
def test_no_damage_keeps_the_rest_from_being_laid_out(kind):
    luck = random.Random(f"damage {kind}")
    whole = vector("G-A-3") + vector("G-A-4 COMMIT")
    for _ in range(400):
        content = bytearray(whole[:luck.randrange(len(whole) + 1)])
        for _ in range(luck.randrange(4)):
            if content:
                content[luck.randrange(len(content))] = luck.choice((0, 1, 0x7F, 0x80, 0xFF))
        assert _covers(dump(bytes(content), kind))


def test_what_cannot_be_read_names_the_error_of_the_reader():
    content = bytearray(vector("G-A-3") + vector("G-A-3"))
    content[84 + 66] = 0x7E                                     # a value of 63 bytes
    shown = dump(bytes(content))
    last = shown.fields[-1]
    assert (last.name, last.end) == (NOT_READABLE, len(content))
    assert last.meaning.startswith("CorruptRecordException: record 1 of the 2")
    assert "its stored crc is 0xec8ff1fb" in shown.error


def test_another_kind_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"'.txt' is no kind .* there is .log, .index"):
        dump(b"", ".txt")
    with pytest.raises(ValueError, match="a record batch has 70 bytes; there is no byte 70"):
        dump(vector("G-A-2")).field_at(70)
