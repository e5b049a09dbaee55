"""From a log to `poll()`: positions, marks, waits and what a consumer does not see."""

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.course import canonical


def shop(partitions=1, **options):
    cluster = Cluster(3, seed=7, **options)
    cluster.create_topic("orders", partitions, 3, {"min.insync.replicas": 2})
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
    cluster.restart(3)
    assert [record.value for record in consumer.poll(2_000)] == ["maybe"]


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
