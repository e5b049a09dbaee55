"""Connections that lose a message, are closed, reset or forgotten: nobody is cut off for ever."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.invariants import put_on_trial
from kafka_internals.errors import NetworkException, TimeoutException, TopicExistsException

PACE = {"request.timeout.ms": 400, "delivery.timeout.ms": 8_000}


def shop(lost=None, **configs):
    cluster = Cluster(3, seed=7, configs={"replica.socket.timeout.ms": 600,
                                          "replica.fetch.backoff.ms": 50})
    put_on_trial(cluster.machine)
    cluster.run(ms=0)                           # the story begins
    if lost:
        cluster.drop(lost)
    try:
        cluster.create_topic("orders", configs={"min.insync.replicas": 2},
                             replica_assignment={0: [1, 2, 3]})
    except TopicExistsException:                # says the answer to the second question,
        assert lost == "response-admin.1"       # as in Kafka, where the first was lost
    given = {"acks": "all", "linger_ms": 0, "batch_size": 1} | configs
    return cluster, cluster.producer(configs=PACE, **given)


def values(cluster, broker=1):
    return [record.value for record in cluster.log("orders-0", broker)]


def came_to(cluster, node, kind):
    """When such events happened there, in ms."""
    return [event[1] / 1_000 for event in cluster.trace.events if event[3:5] == (node, kind)]


# -- one message that is lost ---------------------------------------------------------------------
def story(lost=None):
    """A producer, a consumer and three replicas, with five records in flight at once."""
    cluster, producer = shop(lost)
    consumer = cluster.consumer(auto_offset_reset="earliest", request_timeout_ms=900)
    consumer.assign("orders-0")
    receipts = [producer.send("orders", f"{number}") for number in range(5)]
    began = cluster.now_ms                      # later than 0 where the topic came late
    offsets = [receipt.get().offset for receipt in receipts]
    read = []
    while len(read) < 5 and cluster.now_ms - began < 9_000:
        read += [record.value for record in consumer.poll(300)]
    cluster.run(ms=2_000)
    return cluster, offsets, read


def test_whichever_single_message_is_lost_everything_arrives_once_and_in_order():
    everything = [flight[1] for flight in story()[0].trace.flights if flight[5] >= 0][:120]
    senders = {id.rpartition(".")[0] for id in everything}
    assert {f"{kind}-{sender}" for kind in ("request", "response") for sender in (
        "admin", "producer-1", "consumer-1", "broker-2-fetcher-0", "raft-client-3")} <= senders
    for id in everything:
        cluster, offsets, read = story(id)
        assert any(flight[1] == id and flight[6] is None for flight in cluster.trace.flights), id
        assert (offsets, read) == (list(range(5)), list("01234")), id
        assert [values(cluster, broker) for broker in (1, 2, 3)] == [list("01234")] * 3, id


def test_behind_a_lost_request_nothing_arrives_until_the_oldest_one_is_too_old():
    cluster, producer = shop()
    producer.send("orders", "warm").get()
    cluster.drop("request-producer-1.5")
    receipts = [producer.send("orders", f"{number}") for number in range(4)]
    cluster.run(ms=300)
    assert values(cluster) == ["warm", "0"] and not receipts[1].done()
    assert [receipt.get().offset for receipt in receipts] == [1, 2, 3, 4]
    assert values(cluster) == ["warm", *"0123"] and 400 < cluster.now_ms < 700


def test_behind_a_lost_answer_records_are_written_and_their_answers_unheard():
    cluster, producer = shop()
    producer.send("orders", "warm").get()
    cluster.drop("response-producer-1.5")
    receipts = [producer.send("orders", f"{number}") for number in range(4)]
    cluster.run(ms=300)
    assert values(cluster) == ["warm", *"0123"]
    assert [receipt.done() for receipt in receipts] == [True, False, False, False]
    assert [receipt.get().offset for receipt in receipts] == [1, 2, 3, 4]
    assert values(cluster) == ["warm", *"0123"]


# -- how a client ends a connection ---------------------------------------------------------------
PLAIN = {"enable_idempotence": False, "retries": 0}


def test_a_request_that_is_too_old_fails_with_all_in_flight_by_timeout():
    cluster, producer = shop(**PLAIN)
    producer.send("orders", "warm").get()
    cluster.cut(1, producer)
    first = producer.send("orders", "a")
    cluster.run(ms=200)
    second = producer.send("orders", "b")
    began = cluster.now_ms
    for receipt in (first, second):
        with pytest.raises(TimeoutException, match="Disconnected from node 1 due to timeout"):
            receipt.get()
    assert cluster.now_ms - began < 250                    # the younger one goes with the older


def test_a_connection_that_its_broker_closed_fails_what_was_in_flight_at_once():
    cluster, producer = shop(**PLAIN)
    producer.send("orders", "warm").get()
    cluster.slow(3, fetch_ms=300)
    receipt = producer.send("orders", "a")
    cluster.run(ms=5)
    cluster.kill(1)
    with pytest.raises(NetworkException, match="Disconnected from node 1$"):
        receipt.get()


# -- news that nobody heard -----------------------------------------------------------------------
def test_a_client_that_missed_the_death_of_a_broker_is_reset_when_it_sends_again():
    cluster, producer = shop()
    producer.send("orders", "warm").get()
    cluster.cut(1, producer)
    cluster.kill(1)
    cluster.restart(1)
    cluster.run(ms=12_000)                                  # its old session has to run out
    assert cluster.look("broker-1-lifecycle").state == "RUNNING"
    cluster.heal()
    assert came_to(cluster, "producer-1", "disconnected") == []
    producer.send("orders", "a")
    began = cluster.now_ms
    cluster.run(ms=200)
    reset, *more = came_to(cluster, "producer-1", "disconnected")
    assert reset - began < 2 and more == []
    assert max(came_to(cluster, "producer-1", "response")) > reset      # it has connected again


def test_a_follower_that_missed_the_death_of_its_leaders_process_asks_again():
    cluster, _ = shop()
    cluster.run(ms=100)
    cluster.cut(1, 3)
    cluster.kill(1)
    cluster.restart(1)
    cluster.heal()
    cluster.run(ms=2_000)
    asked_us = [flight[5] for flight in cluster.trace.flights
                if flight[1].startswith("request-broker-3-fetcher") and flight[4] == "broker-1"]
    assert cluster.look("orders-0@3").leader == 1           # nobody has told it anything else
    assert asked_us[-1] > 1_500_000


# -- who wants no answers -------------------------------------------------------------------------
def test_acks_0_into_a_gap_is_unheard_until_the_machine_gives_the_connection_up():
    cluster, producer = shop(acks="0", metadata_max_age_ms=10 ** 8)
    producer.send("orders", "a")
    cluster.run(ms=50)
    cluster.cut(producer, 1)
    producer.send("orders", "b")
    cluster.heal()
    producer.send("orders", "c")
    cluster.run(ms=924_000)
    assert values(cluster) == ["a"] and came_to(cluster, "producer-1", "disconnected") == []
    cluster.run(ms=2_000)
    producer.send("orders", "d")
    cluster.run(ms=500)
    assert values(cluster) == ["a", "d"]
