"""LogValidator: what a leader refuses, what it changes in place, and when it packs records anew."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_internals.common import TopicPartition
from kafka_internals.compression import CODECS, compress
from kafka_internals.config import TOPIC_CONFIG
from kafka_internals.control_record import ControlRecordType, EndTransactionMarker
from kafka_internals.errors import (
    InvalidRecordException,
    InvalidTimestampException,
    KafkaException,
    RecordTooLargeException,
    UnknownServerException,
)
from kafka_internals.record_batch import RECORD_BATCH_OVERHEAD, RecordBatch, encode
from kafka_internals.storage.append_origin import AppendOrigin
from kafka_internals.storage.log_validator import LogValidator, ValidationResult
from tests.test_record_batch import ONE, rebuilt

NAME = TopicPartition("orders", 0)
NOW_MS = 1_767_225_600_000
LONG_MAX = (1 << 63) - 1
TIMES = (NOW_MS + 5, NOW_MS + 9, NOW_MS + 9, NOW_MS)
GAP = bytes.fromhex("10000000026b027600" "10000006026b027600")      # offset deltas 0 and 3
TOPIC_CODECS = ("producer", "uncompressed", *CODECS[1:])


def validator(**configs) -> LogValidator:
    parsed = {(name := given.replace("_", ".")): TOPIC_CONFIG.key(name).parse(value)
              for given, value in configs.items()}
    return LogValidator(NAME, {**TOPIC_CONFIG.parse({}), **parsed})


def batch(times=TIMES, key=b"k", **state) -> RecordBatch:
    return RecordBatch(encode([(ms, key, b"v%d" % n, (("h", None),))
                               for n, ms in enumerate(times)], **state))


def validated(sent: RecordBatch, origin=AppendOrigin.CLIENT, **configs) -> ValidationResult:
    return validator(**configs).validate_and_assign_offsets(sent, 40, 3, NOW_MS, origin)


# -- in place ---------------------------------------------------------------------------------
@pytest.mark.parametrize("codec", CODECS)
def test_a_good_batch_gets_offsets_and_epoch_and_nothing_else(codec):
    sent = batch(compression_type=codec)
    assert validated(sent) == ValidationResult(sent.with_offsets(40, 3), NOW_MS + 9, 41, -1, False)


@pytest.mark.parametrize("codec", CODECS)
def test_g_a_13_the_leaders_time_goes_into_the_header(codec):
    sent = batch(compression_type=codec)
    result = validated(sent, message_timestamp_type="LogAppendTime")
    assert result[1:] == (NOW_MS, 43, NOW_MS, False)
    result.batch.ensure_valid()
    assert result.batch.buffer[RECORD_BATCH_OVERHEAD:] == sent.buffer[RECORD_BATCH_OVERHEAD:]
    assert [(one.offset, one.timestamp) for one in result.batch.records()] == [
        (40 + n, NOW_MS) for n in range(4)]


def test_a_wrong_largest_timestamp_is_put_right_under_a_new_checksum():
    sent = batch().with_timestamps("CreateTime", 7)
    assert validated(sent).batch == batch().with_offsets(40, 3)


def test_without_timestamps_no_record_has_the_largest():
    result = validated(batch((-1, -1)))
    assert (result.max_timestamp, result.offset_of_max_timestamp) == (-1, -1)


def test_plain_records_with_gaps_in_their_offsets_are_believed():
    result = validated(rebuilt(GAP, records_count=2, last_offset_delta=1))
    assert [record.offset for record in result.batch.records()] == [40, 43] and not result.rebuilt


# -- packed anew ------------------------------------------------------------------------------
@pytest.mark.parametrize("source", CODECS)
@pytest.mark.parametrize("topic", TOPIC_CODECS)
def test_a_topics_codec_is_not_a_producers(source, topic):
    state = {"producer_id": 9, "producer_epoch": 1, "base_sequence": 7, "attributes": 0x10}
    sent = batch(compression_type=source, **state)
    result = validated(sent, compression_type=topic)
    target = {"producer": source, "uncompressed": "none"}.get(topic, topic)
    assert result.rebuilt == (source != target)
    stored = result.batch
    stored.ensure_valid()
    assert stored.header.compression_type == target
    assert list(stored.records()) == list(sent.with_offsets(40, 3).records())
    kept = ("producer_id", "producer_epoch", "base_sequence", "is_transactional", "max_timestamp",
            "base_timestamp", "last_offset_delta", "records_count")
    assert [getattr(stored.header, name) for name in kept] \
        == [getattr(sent.header, name) for name in kept]
    assert (stored.base_offset, stored.header.partition_leader_epoch) == (40, 3)


def test_records_that_are_packed_anew_get_the_leaders_time():
    result = validated(batch(), compression_type="zstd", message_timestamp_type="LogAppendTime")
    assert result[1:] == (NOW_MS, 43, NOW_MS, True)
    assert {one.timestamp for one in result.batch.records()} == {NOW_MS}


def test_records_that_are_packed_anew_are_numbered_anew():
    result = validated(rebuilt(GAP, records_count=2, last_offset_delta=1), compression_type="lz4")
    assert [record.offset for record in result.batch.records()] == [40, 41]


@pytest.mark.parametrize("topic", TOPIC_CODECS)
def test_a_marker_is_never_compressed(topic):
    marker = RecordBatch(EndTransactionMarker(ControlRecordType.COMMIT, 4).encode(NOW_MS, 9, 1))
    result = validated(marker, AppendOrigin.COORDINATOR, compression_type=topic,
                       cleanup_policy="compact")
    assert result.batch == marker.with_offsets(40, 3) and not result.rebuilt


# -- refused ----------------------------------------------------------------------------------
# fmt: off
@pytest.mark.parametrize("wrong, says", [
    (rebuilt(bytes.fromhex(ONE * 2), records_count=3, last_offset_delta=1), "0 to 1, .* 3 records"),
    (rebuilt(bytes.fromhex(ONE), last_offset_delta=5),                   "0 to 5, .* 1 records"),
    (rebuilt(b"", records_count=0, last_offset_delta=-1),                "0 to -1, .* 0 records"),
    (rebuilt(b"", records_count=-1, last_offset_delta=-2),               "0 to -2, .* -1 records"),
    (batch(attributes=0x20),                            "not allowed to write control records"),
    (batch(producer_id=5, producer_epoch=0),            "sequence number -1 .* producerId 5 "),
    (rebuilt(bytes.fromhex(ONE * 2)),                   "declares 1 records, but 9 bytes follow"),
    (rebuilt(bytes.fromhex("05" + ONE[2:])),            "its length is -3"),
])
# fmt: on
def test_a_header_that_contradicts_its_records_is_refused_without_blaming_one(wrong, says):
    with pytest.raises(InvalidRecordException, match=says) as refused:
        validated(wrong)
    assert refused.value.record_errors == ()


def test_what_clients_may_not_send_a_coordinator_may():
    assert validated(batch(attributes=0x20), AppendOrigin.COORDINATOR).batch.header.is_control


@pytest.mark.parametrize("codec", CODECS)
def test_timestamps_may_be_exactly_as_far_off_as_the_topic_allows(codec):
    limits = {"message_timestamp_before_max_ms": 100, "message_timestamp_after_max_ms": 10}
    assert validated(batch((NOW_MS - 100, NOW_MS + 10, -1), compression_type=codec), **limits)
    with pytest.raises(InvalidTimestampException, match="due to invalid timestamp") as refused:
        validated(batch((NOW_MS - 101, NOW_MS, NOW_MS + 11), compression_type=codec), **limits)
    assert [tuple(one) for one in refused.value.record_errors] == [
        (at, f"Timestamp {ms} of message with offset {at} is out of range. The timestamp should be "
             f"within [{NOW_MS - 100}, {NOW_MS + 10}]")
        for at, ms in ((0, NOW_MS - 101), (2, NOW_MS + 11))]


def test_a_limit_beyond_the_largest_long_is_shown_as_java_shows_it():
    with pytest.raises(InvalidTimestampException) as refused:
        validated(batch((NOW_MS - 6,)), message_timestamp_before_max_ms=5,
                  message_timestamp_after_max_ms=LONG_MAX)
    assert refused.value.record_errors[0].message.endswith(
        f"within [{NOW_MS - 5}, {NOW_MS + LONG_MAX - (1 << 64)}]")


@pytest.mark.parametrize("codec", CODECS)
def test_g_b_15_a_compacted_topic_wants_keys(codec):
    sent = batch((NOW_MS,) * 4, key=None, compression_type=codec)
    with pytest.raises(InvalidRecordException, match="due to 4 record errors in total") as refused:
        validated(sent, cleanup_policy="compact,delete")
    assert [one.batch_index for one in refused.value.record_errors] == [0, 1, 2, 3]
    assert str(refused.value).count("RecordError(") == 3
    assert validated(sent, cleanup_policy="delete")


@pytest.mark.parametrize("codec, shown", [
    ("none", "DefaultRecord(offset=0, timestamp=7, key=-1 bytes, value=2 bytes)"),
    ("gzip", "PartialDefaultRecord(offset=0, timestamp=7, key=-1 bytes, value=2 bytes)")])
def test_only_a_leader_may_say_that_the_time_is_a_leaders(codec, shown):
    sent = batch((1,), key=None, compression_type=codec, log_append_time_ms=7)
    with pytest.raises(InvalidTimestampException) as refused:
        validated(sent, message_timestamp_type="LogAppendTime")
    assert f"in message {shown}. Producer" in refused.value.record_errors[0].message
    accepted = validated(sent)
    assert accepted.batch.header.timestamp_type == "CreateTime" and accepted.max_timestamp == 7


@pytest.mark.parametrize("wrong, says", [
    (rebuilt(bytes.fromhex(ONE), attributes=5), "'unknown codec 5' is no compression type"),
    (rebuilt(bytes.fromhex(ONE), attributes=2), "cannot be decompressed as snappy"),
    (rebuilt(b"", attributes=4), "0 bytes of records cannot be decompressed as zstd"),
])
def test_a_payload_that_cannot_be_opened_is_the_brokers_own_failure(wrong, says):
    with pytest.raises(UnknownServerException, match=says):
        validated(wrong)


def test_gaps_within_a_batch_of_the_topics_codec_are_the_brokers_own_failure():
    sent = rebuilt(compress("gzip", GAP), records_count=2, last_offset_delta=1, attributes=1)
    for topic in ("producer", "gzip"):
        with pytest.raises(UnknownServerException, match="gzip batch for orders-0 have offsets"):
            validated(sent, compression_type=topic)
    assert [one.offset for one in validated(sent, compression_type="lz4").batch.records()] \
        == [40, 41]


def test_a_timestamp_below_none_is_believed_in_place_and_not_packed_anew():
    sent = batch((-2, NOW_MS))
    assert validated(sent).batch == sent.with_offsets(40, 3)
    with pytest.raises(UnknownServerException, match="Invalid negative timestamp -2"):
        validated(sent, compression_type="zstd")


@pytest.mark.parametrize("codec", CODECS)
@settings(deadline=None, max_examples=80)
@given(damage=st.lists(st.tuples(st.integers(0, 9_999), st.integers(1, 255)), min_size=1,
                       max_size=3), topic=st.sampled_from(TOPIC_CODECS))
def test_damaged_records_are_stored_as_batches_that_read_or_refused_by_name(codec, damage, topic):
    content = bytearray(batch(TIMES * 9, compression_type=codec).buffer[RECORD_BATCH_OVERHEAD:])
    for position, flip in damage:
        content[position % len(content)] ^= flip
    sent = rebuilt(bytes(content), records_count=36, last_offset_delta=35,
                   attributes=CODECS.index(codec), base_timestamp=TIMES[0])
    try:
        stored = validated(sent, compression_type=topic).batch
    except KafkaException as error:
        assert type(error) in (InvalidRecordException, InvalidTimestampException,
                               UnknownServerException, RecordTooLargeException)
    else:
        stored.ensure_valid()
        assert len(list(stored.records())) == 36
