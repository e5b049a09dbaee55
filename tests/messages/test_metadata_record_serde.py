"""MetadataRecordSerde: whatever is written is read again, and damage is refused by name."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_internals.common import ZERO_UUID
from kafka_internals.control_record import ControlRecordType
from kafka_internals.errors import (
    InvalidRecordException,
    UnsupportedVersionException,
)
from kafka_internals.messages import schema as types
from kafka_internals.messages.kraft_control_records import (
    LeaderChangeMessage,
    Voter,
    control_record,
    read_control_record,
)
from kafka_internals.messages.metadata_record_serde import (
    METADATA_RECORD_TYPES,
    NOT_MODELLED,
    MetadataParseException,
    decode,
    decode_with_version,
    encode,
)
from kafka_internals.messages.metadata_records import (
    BrokerRegistrationChangeRecord,
    ConfigRecord,
    NoOpRecord,
    PartitionChangeRecord,
    PartitionRecord,
    RegisterBrokerRecord,
    TopicRecord,
)
from kafka_internals.record import Record

TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAKg"
NUMBERS = {"b": 8, "h": 16, "H": 16, "i": 32, "q": 64}


def value_of(kind: types.Type) -> st.SearchStrategy:
    """Any value of a type."""
    match kind:
        case types.Fixed(layout):
            letter = layout.format[1:]
            if letter == "?":
                return st.booleans()
            if letter == "d":
                return st.floats(allow_nan=False)
            bits = NUMBERS[letter]
            low = 0 if letter == "H" else -1 << bits - 1
            return st.integers(low, (1 << bits) - 1 + low)
        case types.UuidType():
            return st.binary(min_size=16, max_size=16).map(
                lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="))
        case types.CompactString(nullable):
            text = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
            return st.none() | text if nullable else text
        case types.CompactArray(of, nullable):
            array = st.lists(value_of(of), max_size=3).map(tuple)
            return st.none() | array if nullable else array
    return message_of(kind)


def message_of(schema: types.Schema) -> st.SearchStrategy:
    return st.builds(schema.make, **{field.name: value_of(field.type) for field in schema.fields})


RECORDS = st.one_of([message_of(kind.schema) for kind in METADATA_RECORD_TYPES])


@settings(deadline=None)
@given(RECORDS)
def test_what_is_written_is_read_again(record):
    assert decode(encode(record)) == record


@settings(deadline=None)
@given(RECORDS, st.data())
def test_every_version_holds_what_it_can_and_refuses_the_rest(record, data):
    kind = next(one for one in METADATA_RECORD_TYPES if one.schema.make is type(record))
    version = data.draw(st.integers(0, kind.highest_version))
    if version >= kind.schema.least_version(record):
        assert decode_with_version(encode(record, version)) == (record, version)
    else:
        with pytest.raises(UnsupportedVersionException, match=f"at version {version} of"):
            encode(record, version)


@settings(deadline=None)
@given(RECORDS, st.data())
def test_damage_is_refused_or_read_as_something_else(record, data):
    value = bytearray(encode(record))
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    value = bytes(value[:data.draw(st.integers(0, len(value)))])
    try:
        assert decode(value) is not None
    except MetadataParseException:
        pass


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_read(value):
    for wrong in (value, b"\x01" + value):
        try:
            decode(wrong)
        except MetadataParseException:
            pass


@settings(deadline=None)
@given(RECORDS)
def test_a_record_that_ends_too_early_or_too_late_is_refused(record):
    value = encode(record)
    for cut in range(len(value)):
        with pytest.raises(MetadataParseException):
            decode(value[:cut])
    with pytest.raises(MetadataParseException, match=r"Found 1 byte\(s\) of garbage"):
        decode(value + b"\0")


@pytest.mark.parametrize("record, version", [
    (BrokerRegistrationChangeRecord(1, 9, fenced=1), 0),
    (BrokerRegistrationChangeRecord(1, 9, in_controlled_shutdown=1), 1),
    (BrokerRegistrationChangeRecord(1, 9, log_dirs=(TOPIC_ID,)), 2),
    (BrokerRegistrationChangeRecord(1, 9, cordoned_log_dirs=()), 3),
    (RegisterBrokerRecord(1, ZERO_UUID, 9), 4),
    (PartitionRecord(0, TOPIC_ID, (1,), (1,)), 2),
    (PartitionChangeRecord(0, TOPIC_ID), 2), (NoOpRecord(), 0)])
def test_only_a_registration_change_has_the_least_version_that_holds_it(record, version):
    assert decode_with_version(encode(record)) == (record, version)


def test_an_unchanged_field_takes_no_byte_and_an_empty_one_does():
    """PartitionChangeRecord: no ISR is "as before", an empty one is "none"."""
    unchanged = encode(PartitionChangeRecord(0, TOPIC_ID))
    assert len(unchanged) == 3 + 4 + 16 + 1
    emptied = PartitionChangeRecord(0, TOPIC_ID, isr=())
    assert encode(emptied)[len(unchanged) - 1:] == bytes([1, 0, 1, 1])
    assert decode(encode(emptied)) == emptied != PartitionChangeRecord(0, TOPIC_ID)


def test_a_tag_of_the_future_is_passed_over():
    value = encode(NoOpRecord())[:-1] + bytes([2, 77, 3]) + b"new" + bytes([78, 0])
    assert decode(value) == NoOpRecord()


@pytest.mark.parametrize("value, said", [
    (None, "Failed to deserialize"), (b"", "Failed to deserialize"),
    (b"\0\x14\0\0", r"unknown frame version 0 \(only frame version 1"),
    (b"\x02\x14\0\0", "unknown frame version 2"), (b"\x01\x7e\0\0", "126 is unknown; there is 0 R"),
    (b"\x01\x14\x01\0", "NoOpRecord has the versions 0 to 0; got 1"),
    (b"\x01\x02\0\0" + bytes(17), "null"), (b"\x01\x02\0\x7fab", "126 bytes are declared"),
    (b"\x01\x09\0" + bytes(16) + b"\xff\xff\xff\xff\xff\xff", "longer than 5 bytes"),
    (b"\x01\x17\0\x01\0\x09\x03ab", "tag 0 of BeginTransactionRecord declares 9 bytes; its value "
                                     "has 3")])
def test_an_error_says_what_was_given_and_what_is_known(value, said):
    with pytest.raises(MetadataParseException, match=said):
        decode(value)


@pytest.mark.parametrize("key", NOT_MODELLED)
def test_what_is_not_modelled_is_refused_by_name(key):
    with pytest.raises(MetadataParseException, match=f"{key}, {NOT_MODELLED[key]}, is not"):
        decode(bytes([1, key, 0]))


def test_every_key_that_kafka_knows_is_modelled_or_refused():
    known = [kind.key for kind in METADATA_RECORD_TYPES]
    assert sorted([*known, *NOT_MODELLED]) == [key for key in range(30) if key not in (6, 13, 16)]


@pytest.mark.parametrize("record, error, said", [
    ("a text", ValueError, "is no metadata record; there is RegisterBrokerRecord"),
    (TopicRecord("orders", "short"), ValueError, "topic_id of TopicRecord"),
    (TopicRecord("x" * 40_000, TOPIC_ID), ValueError, "no text of at most 32767 bytes"),
    (TopicRecord(None, TOPIC_ID), ValueError, "name of TopicRecord"),
    (ConfigRecord(200, "", "", None), ValueError, "resource_type of ConfigRecord: 200 does not"),
    (PartitionRecord(0, TOPIC_ID, [1], (1,)), ValueError, r"replicas of .*\[1\] is no tuple")])
def test_what_does_not_fit_is_not_written(record, error, said):
    with pytest.raises(error, match=said):
        encode(record)


def test_a_version_that_does_not_exist_is_not_written():
    with pytest.raises(UnsupportedVersionException, match="has the versions 0 to 2; got 3"):
        encode(PartitionChangeRecord(0, TOPIC_ID), 3)


def test_the_leader_change_of_a_later_version_is_read():
    voter = Voter(1, TOPIC_ID)
    directory = types.UUID.write(TOPIC_ID, 1)
    listed = b"\x02" + bytes([0, 0, 0, 1]) + directory + b"\0"
    value = b"\0\x01" + bytes([0, 0, 0, 1]) + listed * 2 + b"\0"
    record = Record(0, 0, ControlRecordType.LEADER_CHANGE.key(), value)
    assert read_control_record(record) == LeaderChangeMessage(1, (voter,), (voter,))


def test_a_control_record_of_the_future_says_nothing_and_a_damaged_one_is_refused():
    key, value = control_record(LeaderChangeMessage(1, (Voter(1),), (Voter(1),)))
    assert read_control_record(Record(0, 0, b"\0\0\0\x63", b"")) is None
    for wrong in [value[:cut] for cut in range(len(value))] + [b"\0\x02" + value[2:]]:
        with pytest.raises(InvalidRecordException, match="LEADER_CHANGE record at offset 7"):
            read_control_record(Record(7, 0, key, wrong))
    with pytest.raises(InvalidRecordException, match="KRaft's log has no COMMIT"):
        read_control_record(Record(0, 0, ControlRecordType.COMMIT.key(), b""))
    with pytest.raises(ValueError, match="no control record of KRaft's"):
        control_record(NoOpRecord())
