"""From a log to `poll()`: positions, marks, waits and what a consumer does not see."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.common import TopicPartition
from kafka_internals.control_record import ControlRecordType, EndTransactionMarker
from kafka_internals.course import canonical
from kafka_internals.errors import (
    IllegalStateException,
    InvalidGroupIdException,
    UnknownTopicOrPartitionException,
)
from kafka_internals.record_batch import RecordBatch
from kafka_internals.storage.append_origin import AppendOrigin


def shop(partitions=1, **options):
    cluster = Cluster(3, seed=7, **options)
    placed = {number: canonical.PLACED[number] for number in range(partitions)}
    cluster.create_topic("orders", configs={"min.insync.replicas": 2}, replica_assignment=placed)
    return cluster, cluster.producer(acks="all", linger_ms=0)


def reader(cluster, *partitions, **configs):
    consumer = cluster.consumer(**{"auto_offset_reset": "earliest"} | configs)
    consumer.assign(*(partitions or ("orders-0",)))
    return consumer


def test_what_was_sent_is_read_whole():
    cluster, producer = shop()
    producer.send("orders", "paid", key="ada", headers=[("shop", b"7")], timestamp=1_700).get()
    producer.send("orders", None, key=None).get()
    consumer = reader(cluster)
    (first,), (second,) = consumer.poll(100), consumer.poll(100)   # a week lies between: 2 segments
    assert first == ("orders", 0, 0, 1_700, "ada", "paid", (("shop", b"7"),))
    assert (second.key, second.value, second.headers) == (None, None, ())
    assert second.timestamp > 1_767_225_600_000                # now, in epoch milliseconds


def test_a_poll_returns_as_soon_as_there_is_a_record():
    cluster, producer = shop()
    consumer = reader(cluster)
    cluster.run(ms=20)
    producer.send("orders", "a")
    began = cluster.now_ms
    assert [record.value for record in consumer.poll(400)] == ["a"]
    assert cluster.now_ms - began < 10


def test_a_poll_without_records_takes_exactly_its_time():
    cluster, _ = shop()
    consumer = reader(cluster)
    cluster.run(ms=10)
    assert consumer.poll(400) == [] and cluster.now_ms == 410
    assert consumer.poll(0) == [] and cluster.now_ms == 410


def test_a_position_moves_by_what_poll_gives_and_not_by_what_is_fetched():
    cluster, producer = shop()
    consumer = reader(cluster, max_poll_records=2)
    for value in "abc":
        producer.send("orders", value).get()
    cluster.run(ms=20)
    assert consumer.position("orders-0") == 0
    assert [record.value for record in consumer.poll(100)] == ["a"]      # what the first fetch had
    assert consumer.position("orders-0") == 1
    assert [record.value for record in consumer.poll(100)] == ["b", "c"]
    assert consumer.position("orders-0") == 3


def test_latest_begins_with_what_is_committed_after_the_question():
    cluster, producer = shop()
    producer.send("orders", "before").get()
    consumer = reader(cluster, auto_offset_reset="latest")
    cluster.run(ms=20)
    assert consumer.position("orders-0") == 1
    producer.send("orders", "after")
    assert [record.value for record in consumer.poll(200)] == ["after"]


def test_an_uncommitted_record_is_in_the_leaders_log_and_in_no_poll():
    cluster = canonical.healthy()
    cluster.kill(3)
    cluster.producer(acks="1", linger_ms=0).send("orders", "maybe", partition=0).get()
    consumer = reader(cluster)
    assert consumer.poll(2_000) == []
    assert [record.value for record in cluster.log("orders-0", 1)] == ["maybe"]
    assert [record.value for record in cluster.log("orders-0", 2)] == ["maybe"]
    assert [record.value for record in consumer.poll(10_000)] == ["maybe"]
    assert cluster.look("orders-0@1").isr == (1, 2)         # broker 3 does not count any more


def test_two_consumers_read_independently():
    cluster, producer = shop()
    ada, bob = reader(cluster), reader(cluster)
    producer.send("orders", "a").get()
    assert len(ada.poll(100)) == 1
    producer.send("orders", "b").get()
    assert [record.value for record in bob.poll(100) + bob.poll(100)] == ["a", "b"]
    assert [record.value for record in ada.poll(100)] == ["b"]


def test_partitions_of_several_leaders_are_read_side_by_side():
    cluster, producer = shop(partitions=3)
    consumer = reader(cluster, "orders-0", "orders-1", "orders-2")
    for number in range(3):
        producer.send("orders", f"of {number}", partition=number).get()
    found = [record for _ in range(3) for record in consumer.poll(100)]
    assert sorted((record.partition, record.value) for record in found) == \
        [(0, "of 0"), (1, "of 1"), (2, "of 2")]


def test_a_consumer_goes_on_when_its_leader_was_paused():
    cluster, producer = shop()
    consumer = reader(cluster)
    producer.send("orders", "a").get()
    consumer.poll(100)
    cluster.pause(1)
    assert consumer.poll(300) == []
    cluster.resume(1)
    producer.send("orders", "b")
    assert [record.value for record in consumer.poll(300)] == ["b"]


def test_the_order_of_a_partition_is_the_order_of_its_log():
    cluster, producer = shop()
    consumer = reader(cluster)
    receipts = [producer.send("orders", str(number), key="ada") for number in range(30)]
    assert [receipt.get().offset for receipt in receipts] == list(range(30))
    read = []
    while len(read) < 30:
        read += consumer.poll(100)
    assert [record.value for record in read] == [str(number) for number in range(30)]
    assert [record.offset for record in read] == list(range(30))


def test_what_is_not_text_is_shown_as_java_would():
    cluster, producer = shop()
    producer.send("orders", b"\xff\x00", key="Zoë 😀").get()
    [record] = reader(cluster).poll(100)
    assert (record.key, record.value) == ("Zoë 😀", "\ufffd\x00")


# -- three numbers, and what holds them ---------------------------------------------------------
def filled(cluster, producer, count, value="x"):
    for number in range(count):
        producer.send("orders", f"{value}{number}")
    producer.flush()


def test_the_next_fetch_is_on_its_way_while_an_application_works():
    cluster, producer = shop()
    filled(cluster, producer, 3)
    consumer = reader(cluster)
    assert len(consumer.poll(100)) == 3
    fetched = cluster.look(consumer).in_flight
    assert [str(name) for name, _ in fetched] == ["orders-0"]
    producer.send("orders", "more").get()
    cluster.run(ms=20)                            # the application works; nobody polls
    seen = cluster.look(consumer)
    assert (consumer.position("orders-0"), dict(seen.fetch_position)) == (3, {("orders", 0): 4})
    began = cluster.now_ms
    assert [record.value for record in consumer.poll(100)] == ["more"] and cluster.now_ms == began


def test_what_is_paused_waits_and_is_there_at_once_after_a_resume():
    cluster, producer = shop(partitions=2)
    consumer = reader(cluster, "orders-0", "orders-1")
    cluster.run(ms=20)
    consumer.pause("orders-0")
    for number in (0, 1):
        producer.send("orders", f"of {number}", partition=number).get()
    cluster.run(ms=20)
    assert [record.value for record in consumer.poll(100)] == ["of 1"]
    assert consumer.poll(50) == [] and [str(one) for one in consumer.paused()] == ["orders-0"]
    consumer.resume("orders-0")
    assert [record.value for record in consumer.poll(100)] == ["of 0"]


def test_lag_is_what_a_fetch_told_and_shrinks_with_each_poll():
    cluster, producer = shop()
    filled(cluster, producer, 5)
    consumer = reader(cluster, max_poll_records=2)
    assert consumer.current_lag("orders-0") is None
    lags = []
    for _ in range(3):
        consumer.poll(100)
        lags.append(consumer.current_lag("orders-0"))
    assert lags == [3, 1, 0] and consumer.metric("records-lag", "orders-0") == 0
    assert consumer.metric("records-lag-max") == 3


def test_offsets_are_found_by_time_and_at_both_ends():
    cluster, producer = shop(partitions=2)
    for minute in range(4):
        producer.send("orders", str(minute), timestamp=60_000 * minute, partition=0).get()
    consumer = reader(cluster)
    times = consumer.offsets_for_times({"orders-0": 90_000, "orders-1": 90_000})
    assert times[("orders", 0)][:2] == (2, 120_000) and times[("orders", 1)] is None
    assert list(consumer.end_offsets("orders-0", "orders-1").values()) == [4, 0]
    assert list(consumer.beginning_offsets(["orders-0"]).values()) == [0]


def test_by_duration_begins_with_the_first_record_that_is_young_enough():
    cluster, producer = shop()
    for hours_ago in (3, 2, 1, 0):
        producer.send("orders", f"{hours_ago} hours ago",
                      timestamp=1_767_225_600_000 - 3_600_000 * hours_ago).get()
    consumer = reader(cluster, auto_offset_reset="by_duration:PT90M")
    assert [record.value for record in consumer.poll(100)] == ["1 hours ago", "0 hours ago"]


def test_a_record_larger_than_every_limit_is_read_all_the_same():
    cluster, producer = shop()
    for size in (10, 5_000, 10):
        producer.send("orders", "x" * size).get()
    consumer = reader(cluster, max_partition_fetch_bytes=100, fetch_max_bytes=100)
    sizes = [len(record.value) for _ in range(3) for record in consumer.poll(100)]
    assert sizes == [10, 5_000, 10]


def test_fetch_min_bytes_on_an_idle_topic_is_answered_after_fetch_max_wait_ms():
    cluster, producer = shop()
    consumer = reader(cluster, fetch_min_bytes=1_000_000, fetch_max_wait_ms=300)
    cluster.run(ms=10)
    producer.send("orders", "small").get()
    assert [record.value for record in consumer.poll(1_000)] == ["small"]
    assert 300 < cluster.now_ms < 320


def test_a_session_goes_on_with_every_fetch():
    cluster, producer = shop()
    consumer = reader(cluster)
    for value in "abc":
        producer.send("orders", value).get()
        consumer.poll(100)
    asked = [change[4] for change in cluster.trace.changes
             if change[1].startswith("request-consumer-1") and change[2] == "asked"]
    assert asked[2:] == ["fetch orders-0 at 0", "fetch orders-0 at 1", "fetch orders-0 at 2",
                         "fetch orders-0 at 3"]
    cluster.run(ms=5)
    sessions = cluster.machine.brokers[1].manager.apis.sessions.sessions
    assert [(len(one.partitions), one.epoch) for one in sessions.values()] == [(1, 4)]


def test_a_fetch_that_finds_nothing_new_is_asked_again_and_answered_in_two_words():
    cluster, _ = shop()
    reader(cluster, fetch_max_wait_ms=50)
    cluster.run(ms=200)
    said = [change[4] for change in cluster.trace.changes
            if change[1].startswith("request-consumer-1") and change[2] in ("asked", "answer")]
    assert said[4:8] == ["fetch orders-0 at 0", "orders-0 0 bytes, HW 0", "fetch as before",
                         "nothing new"]


def marked(cluster, producer_id, outcome):
    """A transaction's marker in the leader's log, as a coordinator would have it written."""
    manager = cluster.machine.brokers[1].manager
    log = manager.partitions[TopicPartition("orders", 0)].log
    log.append_as_leader(RecordBatch(EndTransactionMarker(outcome, 0).encode(
        1_767_225_600_000, producer_id, 0)), 0, 1_767_225_600_000, AppendOrigin.COORDINATOR)


def test_a_marker_takes_an_offset_and_no_consumer_sees_it():
    cluster, producer = shop()
    producer.send("orders", "before").get()
    marked(cluster, 7, ControlRecordType.ABORT)
    producer.send("orders", "after").get()
    for level in ("read_committed", "read_uncommitted"):
        consumer = reader(cluster, isolation_level=level)
        assert [(one.offset, one.value) for one in consumer.poll(100) + consumer.poll(100)] == \
            [(0, "before"), (2, "after")]


# -- used wrongly -------------------------------------------------------------------------------
@pytest.mark.parametrize("call, error, told", [
    (lambda it: it.pause("orders-1"), IllegalStateException, "assign('orders-1')"),
    (lambda it: it.current_lag("orders-1"), IllegalStateException, "has orders-0"),
    (lambda it: it.committed("orders-0"), InvalidGroupIdException, "group.id"),
    (lambda it: it.offsets_for_times({"orders-0": -1}), ValueError, "of 0 or more"),
    (lambda it: it.end_offsets("payments-0"), UnknownTopicOrPartitionException, "there is orders"),
    (lambda it: it.metric("records-lagg", "orders-0"), IllegalStateException, "records-lag"),
    (lambda it: it.seek("orders-0", -1), ValueError, "whole number of 0 or more")])
def test_a_wrong_call_says_what_was_given_and_what_would_work(call, error, told):
    cluster, _ = shop(partitions=2)
    consumer = reader(cluster)
    consumer.poll(0)
    before = cluster.trace.digest()
    with pytest.raises(error) as refused:
        call(consumer)
    assert told in str(refused.value) and cluster.trace.digest() == before


def test_an_application_asks_for_offsets_by_yielding_the_question():
    cluster, producer = shop()
    filled(cluster, producer, 4)
    found = []

    def shop_app(consumer):
        found.append((yield consumer.end_offsets("orders-0")))

    cluster.run_app(shop_app, reader(cluster))
    cluster.run(ms=30)
    assert [list(one.values()) for one in found] == [[4]]
    kept, _ = cluster.fork(at=cluster.event)
    assert kept.trace.digest() == cluster.trace.digest()
