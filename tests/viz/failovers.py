"""Runs in which a controller has something to do, and the views that show it."""

from functools import cache

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.viz.epoch_view import epoch_view
from kafka_internals.viz.isr_view import isr_view
from kafka_internals.viz.membership_view import membership_view
from kafka_internals.viz.replication_view import replication_view

ASSIGNED = {0: [1, 2, 3]}


def cluster_of(min_isr: int = 2, racks: dict | None = None, **configs: object) -> Cluster:
    """Three brokers and `orders-0`, led by broker 1."""
    cluster = Cluster(seed=7, configs=configs, racks=racks)
    cluster.create_topic("orders", configs={"min.insync.replicas": min_isr},
                         replica_assignment=ASSIGNED)
    return cluster


@cache
def parted_logs() -> Cluster:
    """The leader dies with two records that one follower has and the next leader has not."""
    cluster = cluster_of()
    producer = cluster.producer(acks="1", linger_ms=0)
    for number in range(3):
        producer.send("orders", f"order {number}")
    cluster.run(ms=30)
    cluster.slow(2, fetch_ms=400)
    cluster.run(ms=530)
    for number in range(2):
        producer.send("orders", f"late {number}")
    cluster.run(ms=10)
    cluster.kill(1)
    cluster.run(ms=9_500)
    cluster.slow(2, fetch_ms=0)
    producer.send("orders", "of the new epoch")
    cluster.run(ms=1_200)
    cluster.restart(1)
    cluster.run(ms=1_000)
    return cluster


@cache
def eligible() -> Cluster:
    """The ISR falls below min ISR by two clean stops; the last member dies; two come back."""
    cluster = cluster_of()
    producer = cluster.producer(acks="1", linger_ms=0)
    producer.send("orders", "one")
    cluster.run(ms=600)
    cluster.stop(3)
    cluster.stop(2)
    cluster.run(ms=200)
    producer.send("orders", "not committed")
    cluster.run(ms=20)
    cluster.kill(1)
    cluster.run(ms=9_500)
    cluster.restart(2)
    cluster.run(ms=600)
    cluster.restart(3)
    cluster.run(ms=1_200)
    return cluster


@cache
def lagging() -> Cluster:
    """A follower stands still longer than replica.lag.time.max.ms, and comes back."""
    cluster = cluster_of(**{"replica.lag.time.max.ms": 1_000})
    cluster.slow(3, fetch_ms=5_000)
    producer = cluster.producer(acks="1", linger_ms=0)
    for _ in range(4):
        producer.send("orders", "on")
        cluster.run(ms=600)
    cluster.slow(3, fetch_ms=0)
    cluster.run(ms=3_500)
    return cluster


@cache
def handed_over() -> Cluster:
    """The leader stops cleanly: the controller moves its partition first, then lets it go."""
    cluster = cluster_of()
    cluster.producer(linger_ms=0).send("orders", "one")
    cluster.run(ms=600)
    cluster.stop(1)
    cluster.run(ms=600)
    return cluster


@cache
def three_epochs() -> Cluster:
    """Each leads once and writes a record that nobody else gets: three logs that part at 1."""
    cluster = cluster_of(1, **{"broker.session.timeout.ms": 1_500,
                               "broker.heartbeat.interval.ms": 500})
    producer = cluster.producer(acks="1", linger_ms=0)
    producer.send("orders", "of all").get()
    cluster.run(ms=600)
    for leader, others in ((1, (2, 3)), (2, (1, 3))):
        cluster.partition({leader}, others)
        producer.send("orders", f"of broker {leader} alone")
        cluster.run(ms=100)
        cluster.kill(leader)
        cluster.heal()
        cluster.run(ms=3_000)
    producer.send("orders", "of broker 3")
    cluster.run(ms=200)
    cluster.restart(1)
    cluster.restart(2)
    cluster.run(ms=1_000)
    return cluster


def filmed() -> list[tuple]:
    """(name, view, cluster, subject, options) of every view of replication and control."""
    return [("parted logs", replication_view, parted_logs(), "orders-0", {"beliefs": [2, 3]}),
            ("eligible", replication_view, eligible(), "orders-0", {"beliefs": [1]}),
            ("lagging", replication_view, lagging(), "orders-0", {}),
            ("epochs", epoch_view, parted_logs(), "orders-0", {"beliefs": [3]}),
            ("epochs three", epoch_view, three_epochs(), "orders-0", {}),
            ("states", isr_view, lagging(), "orders-0", {}),
            ("states offline", isr_view, eligible(), "orders-0", {}),
            ("members", membership_view, parted_logs(), "orders-0", {}),
            ("members eligible", membership_view, eligible(), "orders-0", {}),
            ("members stop", membership_view, handed_over(), "orders-0", {})]
