"""Runs of the engine that views are filmed from: each a few lines, each with something in it."""

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.server.delayed_operation import TRANSITIONS
from kafka_internals.viz.film import View
from kafka_internals.viz.machine_view import machine_view
from kafka_internals.viz.pipeline_view import pipeline_view
from kafka_internals.viz.replica_view import replica_view
from kafka_internals.viz.sequence_view import sequence_view
from kafka_internals.viz.strips_view import strips_view

PARKED = machine_view(TRANSITIONS, "Parked produce")


def one_produce() -> Cluster:
    """One record with acks=all, then read."""
    cluster = Cluster(seed=7)
    cluster.create_topic("orders", configs={"min.insync.replicas": 2},
                         replica_assignment={0: [1, 2, 3]})
    cluster.producer(acks="all", linger_ms=2).send("orders", "paid", key="ada").get()
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    consumer.poll()
    cluster.run(ms=20)
    return cluster


def faults() -> Cluster:
    """A log longer than the picture, a slow follower, a cut, a crash, a pause, a power loss."""
    cluster = Cluster(seed=3)
    cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
    producer = cluster.producer(acks="1", linger_ms=0)
    for number in range(7):
        producer.send("orders", f"order {number}").get()
    cluster.slow(3, fetch_ms=30)
    producer.send("orders", "late")
    cluster.run(ms=12)
    cluster.cut(1, 2)
    producer.send("orders", "unseen")
    cluster.run(ms=5)
    cluster.heal()
    cluster.kill(2)
    cluster.run(ms=40)
    cluster.restart(2)
    cluster.pause(3)
    cluster.run(ms=5)
    cluster.resume(3)
    cluster.power_loss(1)
    cluster.run(ms=5)
    return cluster


def busy_broker(producers: int = 13) -> Cluster:
    """More producers than handlers, two network threads, a small queue, slow handlers."""
    cluster = Cluster(seed=5, configs={"queued.max.requests": 4, "num.network.threads": 2})
    cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
    cluster.slow_handlers(1, 2)
    for number in range(producers):
        cluster.producer(acks="all", linger_ms=0).send("orders", f"order {number}")
    cluster.run(ms=8)
    return cluster


def grown_topic() -> Cluster:
    """Two readers at different offsets, a seek, a partition more, retention."""
    cluster = Cluster(seed=7, configs={"log.initial.task.delay.ms": 3_000})
    cluster.create_topic("orders", configs={"internal.segment.bytes": 300, "retention.bytes": 50},
                         replica_assignment={0: [1, 2, 3], 1: [2, 3, 1]})
    producer = cluster.producer(linger_ms=0, metadata_max_age_ms=100)
    readers = [cluster.consumer(name, auto_offset_reset="earliest", max_poll_records=most)
               for name, most in (("billing", 2), ("search", 9))]
    for reader in readers:
        reader.assign("orders-0", "orders-1")
    for number in range(12):
        if number == 9:
            cluster.create_partitions("orders", 3)
            cluster.run(ms=100)
        key = ("ada", "bob", "kim", "lea", None)[number % 5]
        producer.send("orders", f"order {number}", key=key)
        cluster.run(ms=5)
        for reader in readers[number % 2:]:
            reader.poll(5)
    readers[1].seek("orders-0", 0)
    cluster.run(ms=3_500)
    readers[1].poll(100)
    return cluster


def filmed() -> list[tuple[str, View, Cluster, object, dict]]:
    """Every view with a run that shows it."""
    produce, broken = one_produce(), faults()
    return [
        ("replicas", replica_view, produce, "orders-0", {"beliefs": [1, 3]}),
        ("replicas-faults", replica_view, broken, "orders-0", {"beliefs": [1, 2]}),
        ("sequence", sequence_view, produce, None, {}),
        ("sequence-faults", sequence_view, broken,
         ["producer-1", "broker-1", "broker-2", "broker-3"], {}),
        ("pipeline", pipeline_view, produce, "orders-0", {}),
        ("pipeline-busy", pipeline_view, busy_broker(), 1, {}),
        ("strips", strips_view, grown_topic(), "orders", {"beliefs": [2]}),
        ("parked", PARKED, produce, "parked-producer-1.3", {}),
    ]
