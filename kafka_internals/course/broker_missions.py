"""What there is to bring about in module 2's sandbox, and the crowd of producers that it takes."""

from collections import Counter

from kafka_internals.clients.kafka_producer import KafkaProducer
from kafka_internals.cluster.cluster import Cluster
from kafka_internals.common import TopicPartition
from kafka_internals.course.panel import Field
from kafka_internals.course.sandbox import BREAK, LOAD, NETWORK, Act, Group, Mission
from kafka_internals.server.request_channel import QUEUE

CROWD = Group("Crowd", (Field("producers", "producers", (10, 100, 600), 100),), (
    Act("Slow the handlers", "cluster.slow_handlers(1, delay_ms=5)",
        "each request keeps a handler of broker 1 for 5 ms more"),
    Act("Send from each", "crowd = [cluster.producer(acks={acks!r}, linger_ms={linger_ms})"
        " for _ in range({producers})]\nfor one in crowd:\n"
        "    one.send({topic!r}, 'order', partition={partition})",
        "so many new connections, one request each"),))
GROUPS = LOAD, CROWD, BREAK, NETWORK


def answered_ms(cluster: Cluster, acks: int) -> list[float]:
    """How long each acknowledged record of the producers with these acks (-1: all) took, in
    ms."""
    took = []
    for name, node in cluster.machine.clients.items():
        if isinstance(node.core, KafkaProducer) and node.core.config["acks"] == acks:
            for number, record in enumerate(node.core.records, 1):
                if record.state == "acknowledged":
                    of = cluster.trace.of(f"{name}#{number}", "state")
                    first, last = (cluster.trace.change(index).event for index in (of[0], of[-1]))
                    took.append((cluster.trace.event(last).t_us
                                 - cluster.trace.event(first).t_us) / 1000)
    return took


def is_slower(cluster: Cluster) -> bool:
    """A record with acks=1 took longer than one with acks=all."""
    one, all_ = answered_ms(cluster, 1), answered_ms(cluster, -1)
    return bool(one and all_) and max(one) > min(all_)


def lost(cluster: Cluster) -> list[tuple[TopicPartition, int]]:
    """(partition, offset) of each acknowledged record that no broker's log holds."""
    acknowledged = {(record.placed, record.offset): record.value
                    for node in cluster.machine.clients.values()
                    if isinstance(node.core, KafkaProducer) for record in node.core.records
                    if record.state == "acknowledged" and record.offset is not None
                    and record.offset >= 0}
    held = {(partition, record.offset, record.value)
            for partition in sorted({place for place, _ in acknowledged})
            for broker in cluster.setup.brokers for record in cluster.log(partition, broker)}
    return [(place, offset) for (place, offset), value in acknowledged.items()
            if (place, offset, None if value is None else value.decode("utf-8", "replace"))
            not in held]


def deepest_queue(cluster: Cluster) -> int:
    """The most requests that the request queue of a broker has held so far."""
    depth, most = Counter(), 0
    for event, subject, attribute, old, new, *_ in cluster.trace.changes:
        if attribute == "station":
            broker = cluster.trace.event(event).node
            depth[broker] += (new == QUEUE) - (old == QUEUE)
            most = max(most, depth[broker])
        elif attribute == "state" and subject.removeprefix("broker-").isdecimal():
            depth[subject] = 0                          # its queue dies with a broker
    return most


def missions(most: int = 500) -> tuple[Mission, ...]:
    """The three of module 2; `most` is queued.max.requests."""
    return (
        Mission(f"Fill a request queue to {most}.", lambda cluster: deepest_queue(cluster) >= most,
                "A connection has one request in the queue at most: the broker reads no further "
                "before it has answered. So one busy producer is not enough, and handlers are "
                "fast."),
        Mission("Make a record with acks=1 slower than one with acks=all.", is_slower,
                "Waiting for followers is one wait among several. Which comes before the request "
                "is even sent?"),
        Mission("Lose a record that was acknowledged.", lambda cluster: bool(lost(cluster)),
                "acks=1 promises one copy, and that copy is in a page cache. Cut the followers off "
                "(a fetch that waits already takes the next record along), and look for what "
                "forgets a page cache."))
