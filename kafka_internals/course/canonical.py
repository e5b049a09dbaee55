"""The clusters that every notebook starts from, so that a new subject never brings a new world.

A web shop with the topic `orders`: three partitions on three brokers, replication factor 3,
`min.insync.replicas` 2. Its replicas are placed by hand, partition p is led by broker p + 1: so
a sentence beside a picture can say which broker leads. A plain `create_topic` leaves the placement
to the controller, whose dice may begin at any broker.
"""

from kafka_internals.cluster.cluster import Cluster

PLACED = {0: [1, 2, 3], 1: [2, 3, 1], 2: [3, 1, 2]}     # the leader first
ORDERS = {"replica_assignment": PLACED, "configs": {"min.insync.replicas": 2}}


def healthy(seed: int = 7) -> Cluster:
    """Three brokers and `orders`; nothing is wrong."""
    cluster = Cluster(brokers=3, seed=seed)
    cluster.create_topic("orders", **ORDERS)
    return cluster


def short_memory(seed: int = 7) -> Cluster:
    """Three brokers, and an `orders` that keeps about 600 bytes of a partition, in segments of 200.

    One replica of each: nobody copies, so that minutes in which nothing happens are few events.
    """
    cluster = Cluster(brokers=3, seed=seed)
    little = {"retention.bytes": 600, "internal.segment.bytes": 200}
    leaders = {partition: brokers[:1] for partition, brokers in PLACED.items()}
    cluster.create_topic("orders", replica_assignment=leaders, configs=little)
    return cluster


def slow_follower(seed: int = 7, broker: int = 3, fetch_ms: int = 400) -> Cluster:
    """The same, but what one broker fetches takes `fetch_ms` longer to ask for."""
    cluster = healthy(seed)
    cluster.slow(broker, fetch_ms=fetch_ms)
    return cluster


def lost_leader(seed: int = 7) -> Cluster:
    """The same; who leads `orders-0` has acknowledged three orders, and dies.

    No follower has been told yet that they are committed.
    """
    cluster = healthy(seed)
    shop = cluster.producer("shop")
    for number in range(3):
        shop.send("orders", f"order {number}", partition=0)
    cluster.run(ms=20)
    cluster.kill(1)
    return cluster
