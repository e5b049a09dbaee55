"""A dump of the metadata log: each byte of each record has a name, and says what Kafka says."""

import pytest

from kafka_internals.errors import InvalidRecordException
from kafka_internals.messages.cluster_metadata_log_message_parser import spans
from kafka_internals.messages.kraft_control_records import control_record, read_control_record
from kafka_internals.messages.metadata_record_serde import (
    NOT_MODELLED,
    MetadataParseException,
    encode,
)
from kafka_internals.messages.metadata_records import (
    BeginTransactionRecord,
    NoOpRecord,
    PartitionChangeRecord,
)
from kafka_internals.storage.dump_log_segments import NOT_READABLE, dump
from tests.golden.metadata_logs import RAW, name_of, stored

TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAKg"


def said(value: bytes) -> list[tuple[str, str]]:
    return [(one.name, one.value) for one in spans(False, None, value)]


def test_a_record_is_named_field_by_field():
    record = PartitionChangeRecord(3, TOPIC_ID, isr=(1, 2), leader=1)
    assert said(encode(record)) == [
        ("frame version", "1"), ("type", "5 PartitionChangeRecord"), ("version", "2"),
        ("partition_id", "3"), ("topic_id", TOPIC_ID), ("tagged fields", "2"),
        ("tag 0", "0, 9 bytes"), ("isr count", "2"), ("isr[0]", "1"), ("isr[1]", "2"),
        ("tag 1", "1, 4 bytes"), ("leader", "1")]
    assert said(encode(BeginTransactionRecord("a")))[-2:] == [
        ("tag 0", "0, 2 bytes"), ("name", "a")]


def test_a_tag_of_the_future_is_shown_as_it_is():
    value = encode(NoOpRecord())[:-1] + bytes([1, 77, 3]) + b"new"
    assert said(value)[-2:] == [("tag 77", "77, 3 bytes"), ("unknown tag 77", b"new".hex())]


@pytest.mark.parametrize("path", RAW, ids=name_of)
def test_every_byte_of_a_metadata_log_belongs_to_one_field(path):
    content = path.read_bytes()
    shown, at = dump(content, parser=spans), 0
    for field in shown.fields:
        assert field.start == at < field.end and field.name != NOT_READABLE and field.meaning
        at = field.end
    assert at == len(content) and shown.error == ""


@pytest.mark.parametrize("path", RAW, ids=name_of)
def test_the_fields_of_a_value_are_its_bytes(path):
    """They end where the value ends, and only what is not modelled stays one field."""
    for batch in stored(path):
        for record in batch.records():
            try:
                found = spans(batch.header.is_control, record.key, record.value)
            except MetadataParseException:
                assert record.value[1] in NOT_MODELLED
                continue
            ends = [one.end for one in found]
            assert ends == sorted(set(ends)) and ends[-1] == len(record.value)


def test_the_voters_in_the_log_are_shown():
    (record,) = [one for one in stored(RAW[0])[0].records()
                 if type(read_control_record(one)).__name__ == "VotersRecord"]
    found = {one.name: one.value for one in spans(True, record.key, record.value)}
    (*_, first) = read_control_record(record).voters[:1]
    assert found["voters[0].voter_directory_id"] == first.voter_directory_id
    assert found["voters[0].endpoints[0].port"] == str(first.endpoints[0].port)


def test_what_cannot_be_read_is_one_field_of_the_dump():
    key, value = control_record(read_control_record(next(stored(RAW[0])[0].records())))
    with pytest.raises(InvalidRecordException, match="cannot be read"):
        spans(True, key, value[:3])
    with pytest.raises(MetadataParseException):
        spans(False, None, b"\x01\x05")
