"""KafkaProducer and KafkaConsumer over a cluster: what an application is told."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.course import canonical
from kafka_internals.errors import (
    NoOffsetForPartitionException,
    OffsetOutOfRangeException,
    RecordTooLargeException,
    TimeoutException,
)


def shop(**configs) -> Cluster:
    cluster = Cluster(seed=1)
    cluster.create_topic("orders", 3, 3, configs)
    return cluster


def asked(cluster: Cluster, client: str) -> list[str]:
    return [change[4] for change in cluster.trace.changes
            if change[1].startswith(f"request-{client}.") and change[2] == "asked"]


def test_the_first_thing_a_client_asks_for_is_metadata():
    cluster = shop()
    cluster.producer(linger_ms=0).send("orders", "x", key="a").get()
    assert asked(cluster, "producer-1")[0] == "metadata of orders"


@pytest.mark.parametrize("key, partition", [("21", 0), ("foobar", 0), ("a", 1), ("key", 1),
                                            ("a-little-bit-long-string", 2)])
def test_a_key_goes_where_murmur2_says(key, partition):
    assert shop().producer().send("orders", "x", key=key).get().partition == partition


def test_records_that_linger_together_are_one_batch():
    cluster = shop()
    producer = cluster.producer(linger_ms=10)
    receipts = [producer.send("orders", f"{n}", partition=1) for n in range(3)]
    assert [receipt.get().offset for receipt in receipts] == [0, 1, 2]
    assert asked(cluster, "producer-1")[1:] == ["a producer id", "produce 3 for orders-1, acks=all"]


def test_a_topic_that_nobody_knows_times_out_by_name():
    producer = shop().producer(max_block_ms=300)
    with pytest.raises(TimeoutException, match="Topic gone not present in metadata after 300 ms"):
        producer.send("gone", "x").get()


def test_a_partition_that_is_not_there_times_out_by_name():
    producer = shop().producer(max_block_ms=300)
    with pytest.raises(TimeoutException, match="Partition 7 of topic orders with partition count"):
        producer.send("orders", "x", partition=7).get()


def test_g_c_14_a_record_over_the_request_size_fails_in_the_client():
    cluster = shop()
    with pytest.raises(RecordTooLargeException, match="max.request.size"):
        cluster.producer(max_request_size=100).send("orders", "x" * 200).get()
    assert not any(text.startswith("produce") for text in asked(cluster, "producer-1"))


def test_g_c_14_the_request_size_bounds_the_record_and_the_topics_the_compressed_batch():
    cluster = shop(**{"max.message.bytes": 20_000})
    producer = cluster.producer(linger_ms=0, compression_type="gzip")
    assert producer.send("orders", "x" * 1_000_000, partition=0).get().offset == 0
    with pytest.raises(RecordTooLargeException, match="max.request.size"):
        producer.send("orders", "x" * 2_097_152, partition=0).get()


def test_with_log_append_time_everybody_is_told_the_leaders_time():
    cluster = shop(**{"message.timestamp.type": "LogAppendTime"})
    receipt = cluster.producer(linger_ms=0).send("orders", "x", partition=0, timestamp=1_000)
    told = receipt.get().timestamp
    assert told > 1_000 and [one.timestamp for one in cluster.log("orders-0", 1)] == [told]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_topic_compresses_what_producers_send_and_consumers_read_it(codec):
    cluster = shop(**{"compression.type": codec})
    cluster.producer(linger_ms=0).send("orders", "x" * 500, partition=0).get()
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    assert [record.value for record in consumer.poll(timeout_ms=1_000)] == ["x" * 500]


def test_a_batch_over_the_topics_limit_is_refused_by_the_broker():
    cluster = shop(**{"max.message.bytes": 100})
    with pytest.raises(RecordTooLargeException):
        cluster.producer(linger_ms=0).send("orders", "x" * 200).get()


@pytest.mark.parametrize("idempotent, lost, stored, offset", [
    (False, 2, ["paid", "paid"], 1), (True, 3, ["paid"], 0)])
def test_g_c_2_a_lost_answer_is_followed_by_a_second_copy_only_without_idempotence(
        idempotent, lost, stored, offset):
    cluster = canonical.healthy()
    producer = cluster.producer(linger_ms=0, request_timeout_ms=500,
                                enable_idempotence=idempotent)
    receipt = producer.send("orders", "paid", partition=0)
    cluster.drop(f"response-producer-1.{lost}")
    assert receipt.get().offset == offset
    assert [record.value for record in cluster.log("orders-0", 1)] == stored


def test_one_request_in_flight_keeps_the_order_of_a_partition():
    cluster = shop()
    producer = cluster.producer(linger_ms=0, max_in_flight_requests_per_connection=1)
    receipts = []
    for number in range(5):
        receipts.append(producer.send("orders", f"{number}", partition=0))
        cluster.run(ms=0.3)
    assert [receipt.get().offset for receipt in receipts] == [0, 1, 2, 3, 4]


def test_a_consumer_without_a_position_begins_where_its_policy_says():
    cluster = shop()
    cluster.producer().send("orders", "old", partition=0).get()
    latest, earliest = cluster.consumer(), cluster.consumer(auto_offset_reset="earliest")
    for consumer in (latest, earliest):
        consumer.assign("orders-0")
    assert latest.poll(50) == [] and latest.position("orders-0") == 1
    assert [record.value for record in earliest.poll(50)] == ["old"]


def test_policy_none_is_an_error_without_a_position_and_out_of_range():
    cluster = shop()
    consumer = cluster.consumer(auto_offset_reset="none")
    consumer.assign("orders-0")
    with pytest.raises(NoOffsetForPartitionException):
        consumer.poll(50)
    consumer.seek("orders-0", 99)
    with pytest.raises(OffsetOutOfRangeException):
        consumer.poll(500)


def test_seek_goes_back_and_a_batch_is_entered_in_its_middle():
    cluster = shop()
    producer = cluster.producer(linger_ms=5)
    for number in range(4):
        producer.send("orders", f"{number}", partition=0)
    producer.flush()
    consumer = cluster.consumer()
    consumer.assign("orders-0")
    consumer.seek("orders-0", 2)
    assert [record.value for record in consumer.poll(100)] == ["2", "3"]
    consumer.seek_to_beginning("orders-0")          # asked behind the fetch that waits for records
    assert [record.offset for record in consumer.poll(1_000)] == [0, 1, 2, 3]


def test_max_poll_records_bounds_a_poll_and_the_rest_needs_no_fetch():
    cluster = shop()
    producer = cluster.producer(linger_ms=5)
    for number in range(5):
        producer.send("orders", f"{number}", partition=0)
    producer.flush()
    consumer = cluster.consumer(auto_offset_reset="earliest", max_poll_records=2)
    consumer.assign("orders-0")
    assert len(consumer.poll(100)) == 2
    before = cluster.now_ms
    assert [len(consumer.poll(100)) for _ in range(2)] == [2, 1]
    assert cluster.now_ms == before


def test_the_next_fetch_is_on_its_way_before_poll_returns():
    cluster = shop()
    cluster.producer(linger_ms=0).send("orders", "x", partition=0).get()
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    consumer.poll(100)
    assert asked(cluster, "consumer-1")[-1] == "fetch orders-0 at 1"


def test_fetch_min_bytes_waits_until_fetch_max_wait():
    cluster = shop()
    cluster.producer(linger_ms=0).send("orders", "x", partition=0).get()
    consumer = cluster.consumer(auto_offset_reset="earliest", fetch_min_bytes=10_000,
                                fetch_max_wait_ms=300)
    consumer.assign("orders-0")
    before = cluster.now_ms
    assert len(consumer.poll(1_000)) == 1
    assert cluster.now_ms - before > 300
