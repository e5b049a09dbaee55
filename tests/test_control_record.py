"""Control records: a transaction's markers, and what a reader does with keys it does not know."""

import pytest

from kafka_internals.control_record import (
    END_TRANSACTION_LAYOUT,
    KEY_LAYOUT,
    ControlRecordType,
    EndTransactionMarker,
    read_marker,
)
from kafka_internals.errors import InvalidRecordException
from kafka_internals.record import Record
from kafka_internals.record_batch import RecordBatch, encode, encode_empty
from tests.golden import cases

COMMIT, ABORT = ControlRecordType.COMMIT, ControlRecordType.ABORT


@pytest.mark.parametrize("control_type", [COMMIT, ABORT])
def test_g_a_4_a_marker_is_78_bytes(control_type):
    encoded = EndTransactionMarker(control_type, 4).encode(
        2_000, producer_id=9, producer_epoch=1, base_offset=7, partition_leader_epoch=3)
    assert encoded == cases.vector(f"G-A-4 {control_type.name}") and len(encoded) == 78
    assert read_marker(RecordBatch(encoded)) == EndTransactionMarker(control_type, 4)


def test_the_markers_of_a_real_transactional_log_are_read():
    found = [read_marker(batch) for batch in cases.Case("storage/java-txn").batches()]
    ends = [marker for marker in found if marker]
    assert ends and {marker.control_type for marker in ends} == {COMMIT, ABORT}
    assert all(marker.coordinator_epoch == 0 for marker in ends) and None in found


def test_what_is_no_marker_reads_as_none():
    leader_change = encode([(1, ControlRecordType.LEADER_CHANGE.key(), b"", ())], attributes=0x20)
    for data in (encode([(1, COMMIT.key(), b"", ())]), leader_change,
                 encode_empty(RecordBatch(leader_change).header)):
        assert read_marker(RecordBatch(data)) is None


@pytest.mark.parametrize("key, control_type", [
    (b"\0\0\0\0", ABORT), (b"\0\0\0\1", COMMIT), (b"\0\0\0\2", ControlRecordType.LEADER_CHANGE),
    (b"\0\0\0\6", ControlRecordType.KRAFT_VOTERS), (b"\0\0\0\7", ControlRecordType.UNKNOWN),
    (b"\0\0\xff\xff", ControlRecordType.UNKNOWN), (b"\0\1\0\1later", COMMIT)])
def test_a_type_from_the_future_is_unknown_and_a_longer_key_is_read(key, control_type):
    assert ControlRecordType.parse(key) is control_type


@pytest.mark.parametrize("key, says", [(None, "this one 0"), (b"\0\0\1", "this one 3"),
                                       (b"\xff\xff\0\1", "version -1; 0 is the first")])
def test_a_key_that_cannot_be_read_is_refused(key, says):
    with pytest.raises(InvalidRecordException, match=says):
        ControlRecordType.parse(key)


@pytest.mark.parametrize("key, value, says", [
    (COMMIT.key(), b"\0" * 5, "6 bytes at least, this one 5"), (COMMIT.key(), None, "this one 0"),
    (ABORT.key(), b"\xff\xff\0\0\0\0", "version -1; 0 is the first"),
    (b"\0\0\0\2", b"\0" * 6, "not with LEADER_CHANGE .key 00000002")])
def test_a_record_that_ends_no_transaction_is_refused(key, value, says):
    with pytest.raises(InvalidRecordException, match=says):
        EndTransactionMarker.parse(Record(0, 0, key, value))


def test_the_layouts_are_the_bytes():
    marker = EndTransactionMarker(COMMIT, 0x01020304)
    assert [field.name for field in KEY_LAYOUT] == ["version", "type"]
    assert [field.name for field in END_TRANSACTION_LAYOUT] == ["version", "coordinator_epoch"]
    assert (COMMIT.key().hex(), marker.value().hex()) == ("00000001", "000001020304")
