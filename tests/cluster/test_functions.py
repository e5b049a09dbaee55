"""Functions of the learner's inside a run: partitioners are called again, callbacks are not."""

import pytest

from kafka_internals.clients.metrics import MetricName
from kafka_internals.cluster.cluster import Cluster
from kafka_internals.errors import BufferExhaustedException, IllegalStateException
from tests.cluster.stories import in_turn

REGIONS = ("north", "south")


def by_region(topic, key, value, partitions):
    return REGIONS.index(key.partition("-")[0]) % partitions


def too_low(topic, key, value, partitions):
    return -1


def raising(topic, key, value, partitions):
    raise KeyError(key)


def shop(**options):
    cluster = Cluster(3, seed=5)
    cluster.create_topic("orders", replica_assignment=in_turn(2))
    return cluster, cluster.producer(linger_ms=2, **options)


# -- partitioners -------------------------------------------------------------------------------
def test_a_partitioner_places_records_and_a_replay_calls_it_again():
    cluster, producer = shop(partitioner=by_region)
    receipts = [producer.send("orders", "x", key=key) for key in ("north-1", "south-7", "north-2")]
    assert [one.get().partition for one in receipts] == [0, 1, 0]
    assert dict(cluster.journal.entries[1].args)["configs"] == (
        ("linger.ms", 2), ("partitioner.class", "by_region"))
    assert cluster.again().trace.digest() == cluster.trace.digest()
    _, changed = cluster.fork(at=cluster.event)
    assert changed[producer].send("orders", "x", key="south-9").get().partition == 1


def test_a_partition_that_is_given_comes_before_the_partitioner():
    _, producer = shop(partitioner=too_low)
    assert producer.send("orders", "x", key="k", partition=1).get().partition == 1


def test_a_partition_below_0_fails_the_record():
    cluster, producer = shop(partitioner=too_low)
    receipt = producer.send("orders", "x", key="k")
    with pytest.raises(ValueError, match="invalid partition number: -1. Partition number should "
                                         "always be non-negative"):
        receipt.get()
    assert cluster.look(receipt).error == "IllegalArgumentException"


def test_an_error_of_a_partitioner_is_the_records():
    _, producer = shop(partitioner=raising)
    with pytest.raises(KeyError, match="somewhere"):
        producer.send("orders", "x", key="somewhere").get()


def test_a_partitioner_may_not_command():
    cluster, producer = shop()

    def commanding(topic, key, value, partitions):
        return int(value)

    other = cluster.producer(partitioner=commanding)
    assert other.send("orders", "1").get().partition == 1
    assert producer.send("orders", "x", partition=0).get().partition == 0


def test_two_partitioners_of_one_name_stay_apart():
    def make(number):
        def fixed(topic, key, value, partitions):
            return number
        return fixed

    cluster, _ = shop()
    producers = [cluster.producer(partitioner=make(number), linger_ms=0) for number in (0, 1)]
    assert [one.send("orders", "x").get().partition for one in producers] == [0, 1]
    names = [dict(dict(entry.args)["configs"]).get("partitioner.class")
             for entry in cluster.journal.entries if entry.command == "producer"]
    assert names == [None, "fixed", "fixed-2"]


# -- callbacks ----------------------------------------------------------------------------------
def test_callbacks_of_a_partition_run_in_the_order_of_sending():
    cluster, producer = shop()
    told = []
    for number in range(6):
        producer.send("orders", str(number), partition=number % 2, on_completion=lambda data, error,
                      n=number: told.append((data.partition, data.offset, n, error)))
    assert told == []
    cluster.run(ms=50)
    assert sorted(told) == [(0, 0, 0, None), (0, 1, 2, None), (0, 2, 4, None),
                            (1, 0, 1, None), (1, 1, 3, None), (1, 2, 5, None)]
    assert [n for partition, *_, n, _ in told if partition == 0] == [0, 2, 4]


def test_a_callback_hears_of_an_error_without_an_offset():
    cluster, producer = shop(batch_size=100, buffer_memory=100, max_block_ms=20)
    told = []
    cluster.run_until(producer.send("orders", "x").done)
    cluster.cut("producer-1", 1)
    cluster.cut("producer-1", 2)
    for number in (0, 1):
        producer.send("orders", "x", partition=number,
                      on_completion=lambda data, error: told.append((tuple(data), type(error))))
    cluster.run(ms=100)
    assert told == [(("orders", -1, -1, -1), BufferExhaustedException)]


def test_a_callback_is_called_once_and_never_by_a_replay():
    cluster, producer = shop()
    told = []
    producer.send("orders", "x", on_completion=lambda data, error: told.append(data.offset))
    cluster.run(ms=3)
    kept, changed = cluster.fork(at=cluster.event)
    cluster.run(ms=50)
    for twin in (kept, changed, cluster.again()):
        twin.run(ms=50)
    assert told == [0]
    changed[producer].send("orders", "y", on_completion=lambda data, error: told.append("y"))
    changed.run(ms=50)
    assert told == [0, "y"]


def test_a_callback_may_look_but_not_command():
    cluster, producer = shop()
    looked = []

    def commanding(data, error):
        looked.append(cluster.look(producer).producer_id)
        producer.flush()

    receipt = producer.send("orders", "x", on_completion=commanding)
    with pytest.raises(IllegalStateException, match="the callback of producer-1#1 has the floor"):
        receipt.get()
    assert looked[0] >= 0
    assert receipt.get().offset == 0 and producer.send("orders", "y").get() is not None


def test_an_application_gives_callbacks_too():
    cluster, producer = shop()
    told = []

    def selling(producer):
        for number in range(2):
            yield producer.send("orders", str(number), partition=0, on_completion=lambda data,
                                error: told.append(data.offset)).get()

    cluster.run_app(selling, producer)
    cluster.run(ms=100)
    assert told == [0, 1]


def test_metrics_are_the_clients_own_by_name():
    cluster, producer = shop()
    producer.send("orders", "x").get()
    metric = producer.metric
    assert metric("record-send-total") == 1 and metric("record-error-rate") == 0
    assert metric("request-latency-avg") == metric("request-latency-avg", "node-1") > 0
    assert MetricName("record-send-total", "producer-metrics",
                      (("client-id", "producer-1"),)) in producer.metrics()
