"""Old segments go: on the leader by its own rules, on followers because the leader says so."""

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.invariants import put_on_trial

MINUTE_MS, DAY_MS = 60_000, 86_400_000


def shop(**configs):
    cluster = Cluster(3, seed=7)
    cluster.create_topic("orders", 1, 3, {name.replace("_", "."): value
                                          for name, value in configs.items()})
    put_on_trial(cluster.machine)
    return cluster, cluster.producer(acks="all", linger_ms=0)


def start_of(cluster, broker):
    return cluster.look(f"orders-0@{broker}").log_start_offset


def test_by_size_only_the_newest_segments_stay_and_every_replica_follows():
    cluster, producer = shop(internal_segment_bytes=300, retention_bytes=600)
    for number in range(12):
        producer.send("orders", f"order {number}" * 8).get()
    cluster.run(ms=MINUTE_MS)
    starts = {start_of(cluster, broker) for broker in (1, 2, 3)}
    assert len(starts) == 1 and 6 <= starts.pop() <= 10
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    assert consumer.poll(500)[0].offset == start_of(cluster, 1)
    answer = cluster.why("orders-0@1", "log_start_offset")
    assert "retention" in str(answer)


def test_by_time_a_log_that_is_old_is_empty_and_goes_on_where_it_was():
    cluster, producer = shop(retention_ms=MINUTE_MS)
    producer.send("orders", "old").get()
    cluster.run(ms=10 * MINUTE_MS)
    assert [start_of(cluster, broker) for broker in (1, 2, 3)] == [1, 1, 1]
    assert producer.send("orders", "new").get().offset == 1


def test_a_reader_of_what_is_gone_begins_at_the_new_start():
    cluster, producer = shop(internal_segment_bytes=100, retention_bytes=100)
    for number in range(4):
        producer.send("orders", f"order {number}").get()
    cluster.run(ms=MINUTE_MS)
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    consumer.seek("orders-0", 0)
    records = [record for _ in range(9) for record in consumer.poll(100)]
    assert [record.offset for record in records][0] == start_of(cluster, 1) > 0
    assert [record.value for record in records][-1] == "order 3"
