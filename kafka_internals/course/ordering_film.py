"""The film of a history that is read the wrong way round: where each event went, and who read it.

The events lie where the answer put them. Then a consumer is given the partition with the later of
two events first, which nothing in Kafka forbids: it may be another consumer, or a fetch that came
back sooner.
"""

from typing import Any

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.viz.player import Player
from kafka_internals.viz.strips_view import strips_view


def ordering_film(one: Any, given: list[int], first: int, at: int) -> Player:
    """Play a history; `first` and `at` are the two events of one order that were parted."""
    cluster = Cluster(brokers=1, seed=7)
    topic = cluster.create_topic("orders", one.events[0].partitions, 1)
    shop = cluster.producer("shop", linger_ms=0)
    for number, event in enumerate(one.events):
        if number == one.grows_at:
            cluster.create_partitions("orders", event.partitions)
            shop = cluster.producer("shop-again", linger_ms=0)     # it knows the new ones
        shop.send(topic, event.step, key=event.order, partition=given[number]).get()
    reader = cluster.consumer("reader", auto_offset_reset="earliest", fetch_max_wait_ms=20)
    reader.assign(topic[given[at]])
    reader.poll()
    reader.assign(topic[given[at]], topic[given[first]])
    reader.poll()
    return cluster.film(strips_view, "orders")
