"""The judges of the request path: each has a mutant that trips it."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.invariants import put_on_trial
from kafka_internals.server.kafka_channel import KafkaChannel
from kafka_internals.server.partition import Partition
from kafka_internals.sim.invariants import InvariantViolated


def on_trial(**options):
    cluster = Cluster(2, seed=3, **options)
    put_on_trial(cluster.machine)
    cluster.create_topic("orders", 1, 2, replica_assignment={0: [1, 2]})
    cluster.create_topic("alone", 1, 1, replica_assignment={0: [1]})
    return cluster


def pipelined(cluster):
    """One connection: a request that waits for a follower, then one that needs nobody."""
    cluster.slow(2, fetch_ms=20)
    producer = cluster.producer(acks="all", linger_ms=0)
    for topic in ("orders", "alone"):
        producer.send(topic, "warm", partition=0).get()
    waits = producer.send("orders", "a", partition=0)
    cluster.run(ms=0.1)
    at_once = producer.send("alone", "b", partition=0)
    return waits, at_once


def test_responses_keep_the_order_of_their_requests():
    waits, at_once = pipelined(on_trial())
    at_once.get()
    assert waits.done()


def test_a_connection_that_is_not_muted_is_caught(monkeypatch):
    monkeypatch.setattr(KafkaChannel, "take", lambda self, event: None)
    with pytest.raises(InvariantViolated, match="ResponsesInOrder .* request-producer-1.9 has left "
                                                "before request-producer-1.8"):
        pipelined(on_trial())[1].get()


@pytest.mark.parametrize("acks", ["1", "all"])
def test_an_offset_that_is_acknowledged_and_not_written_is_caught(monkeypatch, acks):
    append = Partition.append_records_to_leader

    def mutant(self, *args):
        info, changes = append(self, *args)
        return info._replace(first_offset=info.first_offset + 1), changes

    monkeypatch.setattr(Partition, "append_records_to_leader", mutant)
    cluster = on_trial()
    with pytest.raises(InvariantViolated, match="AcksHonoured .* is told that offset 1 of orders-0 "
                                                "is written, and broker 1 does not have it"):
        cluster.producer(acks=acks, linger_ms=0).send("orders", "x").get()


def test_acks_1_says_nothing_about_followers():
    cluster = on_trial()
    cluster.cut("broker-2", "broker-1")
    producer = cluster.producer(acks="1", linger_ms=0)
    assert producer.send("orders", "x").get().offset == 0


def test_a_broker_that_stands_still_is_not_said_to_wait():
    cluster = on_trial()
    producer = cluster.producer(acks="1", linger_ms=0)
    producer.send("orders", "warm").get()
    cluster.slow_handlers(1, delay_ms=5)
    producer.send("orders", "x")
    cluster.run(ms=2)
    assert cluster.look("requests@1").handlers[0].state == "running"
    cluster.pause(1)
    cluster.run(ms=300)
    cluster.resume(1)
    cluster.run(ms=300)
    assert cluster.look("orders-0@1").log_end_offset == 2


def test_with_service_in_the_purgatory_a_handler_is_free_in_time_and_in_it_not():
    for unsafe, tripped in ((None, False), ({"replicas_awaited_in": "handler thread"}, True)):
        cluster = on_trial(unsafe=unsafe)
        receipt = cluster.producer(acks="all", linger_ms=0).send("orders", "x")
        if tripped:
            with pytest.raises(InvariantViolated, match="NobodyWaitsInAHandler .* us after its "
                                                        "work was done"):
                receipt.get()
        else:
            receipt.get()
