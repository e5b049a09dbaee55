"""One changed byte: what the checksum, a reader and recovery say, by the engine's own functions."""

import pytest

from kafka_internals.record_batch import SPANS
from kafka_internals.storage.dump_verdict import changed
from tests.golden.cases import vector

ONE = vector("G-A-3")


def _says(position: int, value: int, content: bytes = ONE, kind: str = ".log") -> dict:
    return {one.who: one for one in changed(content, position, value, kind).verdicts}


def test_a_byte_of_a_value_breaks_the_checksum_and_recovery_cuts_the_batch():
    said = _says(84 + 67, ord("q"), ONE + ONE)
    assert "Stored 0xec8ff1fb" in said["checksum"].says and "differ" in said["checksum"].says
    assert said["reader"].says.startswith("CorruptRecordException: the batch at offset 5")
    assert said["recovery"].says == "It keeps 84 of 168 bytes, 1 batch, and truncates the rest."
    assert all(one.is_bad for one in said.values())


def test_g_a_6_offset_and_leader_epoch_lie_outside_the_checksum():
    for name in ("base_offset", "partition_leader_epoch"):
        said = _says(SPANS[name][1] - 1, 40)
        assert "they agree. It does not cover" in said["checksum"].says
        assert not any(one.is_bad for one in said.values())
    assert "offsets 40 to 41" in _says(7, 40)["reader"].says


def test_a_length_that_leads_past_the_end_leaves_no_whole_batch():
    said = _says(8, 1)
    assert said["reader"].says == "It finds no whole batch, and waits for more."
    assert said["recovery"].says == "It keeps 0 of 84 bytes, 0 batches, and truncates the rest."


def test_an_index_has_no_checksum_and_nobody_notices():
    said = _says(7, 0xFF, bytes.fromhex("0000002900001000"), ".index")
    assert said["checksum"].says == "There is none in this file."
    assert not any(one.is_bad for one in said.values())


def test_an_index_entry_before_the_segment_is_not_asked_about():
    """Recorded: a broker starts with garbage in an .index after an orderly stop."""
    said = _says(0, 0xFF, bytes.fromhex("0000002900001000"), ".index")
    assert said["reader"].says.startswith("A start does not ask, but a check would say Corrupt")
    assert not any(one.is_bad for one in said.values())


def test_an_aborted_transaction_is_checked_and_its_version_stops_the_broker():
    """Recorded, both: an offset below the segment is mended, a version of the future is not."""
    entry = bytes.fromhex("0000" + "0000000000000009" + "0000000000000005" + "0000000000000007"
                          + "0000000000000008")
    (_, reader, recovery) = changed(entry, 17 + 8, 1, ".txnindex", base_offset=7).verdicts
    assert reader.says.startswith("CorruptIndexException") and "made anew" in recovery.says
    said = _says(1, 9, entry, ".txnindex")
    assert said["reader"].says.startswith("KafkaException: entry 0")
    assert said["recovery"].says == "The broker does not start, and nothing mends this file."


def test_a_count_that_is_not_met_spoils_a_checkpoint():
    said = _says(2, ord("7"), b"0\n1\norders 0 41\n", "checkpoint")
    assert said["reader"].says.startswith("KafkaStorageException: Expected 7 entries")
    assert said["recovery"].is_bad


def test_a_snapshot_notices_and_is_not_used():
    content = bytes.fromhex("000148674bc700000000")
    said = _says(9, 1, content, ".snapshot")
    assert said["reader"].says.startswith("CorruptSnapshotException: the stored crc")
    assert "takes the one before" in said["recovery"].says


def test_what_was_before_stays_beside_it():
    one = changed(ONE, 67, ord("b"))
    assert (one.old, one.new, one.field.name) == (ord("a"), ord("b"), "value")
    assert one.before.content == ONE and one.after.field_at(67).value == '"b"'
    assert not any(verdict.is_bad for verdict in one.verdicts_before)


@pytest.mark.parametrize("position, value, says", [
    (84, 0, "has 84 bytes; there is no byte 84"), (0, 256, "256 is none"), (0, -1, "-1 is none")])
def test_what_is_no_byte_is_refused(position, value, says):
    with pytest.raises(ValueError, match=says):
        changed(ONE, position, value)
