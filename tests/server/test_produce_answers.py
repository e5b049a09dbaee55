"""What a leader's answer to a produce says beside the offset: its time, the refused records."""

from kafka_internals.common import START_MS
from tests.server.test_replica_manager import ORDERS, SIZE, Broker, batch


def test_the_leaders_time_is_told_where_the_topic_wants_it():
    broker = Broker(message_timestamp_type="LogAppendTime")
    (result,) = broker.produce((ORDERS, batch()), now_ms=70).body.partitions
    assert result.log_append_time_ms == START_MS + 70


def test_a_refusal_names_the_records_and_where_the_log_begins():
    broker = Broker(message_timestamp_before_max_ms=5, max_message_bytes=SIZE)
    (wrong,) = broker.produce((ORDERS, batch())).body.partitions
    assert (wrong.error, wrong.log_start_offset) == ("INVALID_TIMESTAMP", 0)
    assert [one.batch_index for one in wrong.record_errors] == [0]
    (large,) = broker.produce((ORDERS, batch(records=9))).body.partitions
    assert (large.error, large.log_start_offset, large.record_errors) == (
        "MESSAGE_TOO_LARGE", -1, ())
