"""Brokers that stop, stand still, lose power or disk; links that are cut, lose or delay."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.errors import TimeoutException

PACE = {"request.timeout.ms": 400, "delivery.timeout.ms": 1_500}


def shop(replication_factor=3, enable_idempotence=True, **configs):
    cluster = Cluster(3, seed=7, configs=configs)
    cluster.create_topic("orders", configs={"min.insync.replicas": min(2, replication_factor)},
                         replica_assignment={0: [1, 2, 3][:replication_factor]})
    return cluster, cluster.producer(acks="all", linger_ms=0, configs=PACE,
                                     enable_idempotence=enable_idempotence)


def opens(cluster, broker):
    """Start a broker again, and come to where it opens its log."""
    cluster.restart(broker)
    cluster.run_until(lambda: f"orders-0@{broker}" in cluster.subjects())
    return cluster.look(f"orders-0@{broker}")


def in_sync(cluster, broker):
    """Its new process serves, and has come into the ISR; the old one's session runs out first."""
    cluster.run_until(lambda: cluster.look(f"broker-{broker}-lifecycle").state == "RUNNING"
                      and broker in cluster.look("orders-0@controller-100").isr)
    cluster.run(ms=100)


def values(cluster, broker):
    return [record.value for record in cluster.log("orders-0", broker)]


def test_a_killed_leader_takes_nothing_with_it_and_another_leads_when_its_session_is_over():
    cluster, producer = shop()
    producer.send("orders", "paid").get()
    cluster.kill(1)
    late = producer.send("orders", "too late")
    with pytest.raises(TimeoutException, match=r"Expiring 1 record\(s\) for orders-0"):
        late.get()
    assert cluster.look("orders-0@controller-100").leader == 1 and cluster.now_ms < 2_000
    cluster.restart(1)
    cluster.run(ms=12_000)
    assert [cluster.look(f"orders-0@{broker}").role for broker in (1, 2, 3)] == \
        ["follower", "leader", "follower"]
    assert producer.send("orders", "in time").get().offset == 1
    cluster.run(ms=10)
    assert [values(cluster, broker) for broker in (1, 2, 3)] == [["paid", "in time"]] * 3


def test_a_client_without_an_answer_retries_until_its_delivery_timeout_and_not_longer():
    cluster, producer = shop()
    producer.send("orders", "paid").get()
    cluster.power_loss(1)
    began = cluster.now_ms
    with pytest.raises(TimeoutException, match="has passed since batch creation"):
        producer.send("orders", "too late").get()
    assert 1_499 < cluster.now_ms - began <= 1_500


def test_a_stopped_broker_has_flushed_and_loses_nothing_without_power():
    cluster, producer = shop()
    producer.send("orders", "paid").get()
    cluster.run(ms=10)
    cluster.stop(2)
    assert cluster.look("broker-2").state == "stopped"
    node = cluster.machine.brokers[2]
    node.disk.power_loss()
    assert values(cluster, 2) == ["paid"]
    assert opens(cluster, 2).high_watermark == 0              # as it was told, and checkpointed


def test_a_restarted_follower_begins_at_its_checkpoint():
    cluster, producer = shop()
    producer.send("orders", "a").get()
    producer.send("orders", "b").get()
    cluster.run(ms=20)
    assert [cluster.look(f"orders-0@{broker}").high_watermark for broker in (2, 3)] == [1, 1]
    cluster.kill(3)                                            # the checkpoint is 5 s old at most
    cluster.stop(2)
    stopped, killed = opens(cluster, 2), opens(cluster, 3)
    assert (stopped.high_watermark, stopped.log_end_offset) == (1, 2)
    assert (killed.high_watermark, killed.log_end_offset) == (0, 2)


def test_a_follower_without_power_catches_up_from_what_was_left():
    cluster, producer = shop()
    for value in "abc":
        producer.send("orders", value).get()
    cluster.power_loss(3)
    producer.send("orders", "d")
    cluster.run(ms=300)
    assert cluster.look("orders-0@1").high_watermark == 3      # it cannot move without broker 3
    left = len(values(cluster, 3))
    assert opens(cluster, 3).log_end_offset == left <= 3
    in_sync(cluster, 3)
    assert values(cluster, 3) == list("abcd") == values(cluster, 1)
    assert cluster.look("orders-0@1").high_watermark == 4


def test_a_follower_with_a_new_disk_copies_everything_again():
    cluster, producer = shop()
    for value in "abc":
        producer.send("orders", value).get()
    cluster.lose_disk(3)
    assert (cluster.look("broker-3").state, values(cluster, 3)) == ("without disk", [])
    assert opens(cluster, 3).log_end_offset == 0
    in_sync(cluster, 3)
    assert values(cluster, 3) == list("abc")


def test_a_paused_leader_answers_when_it_goes_on():
    cluster, producer = shop()
    producer.send("orders", "a").get()
    cluster.pause(1)
    receipt = producer.send("orders", "b")
    cluster.run(ms=300)
    assert not receipt.done() and values(cluster, 1) == ["a"]
    cluster.resume(1)
    assert receipt.get().offset == 1 and cluster.look("broker-1").state == "running"


@pytest.mark.parametrize("idempotent, stored", [(False, ["a", "b", "b"]), (True, ["a", "b"])])
def test_a_pause_longer_than_the_request_timeout_stores_the_record_twice_or_once(idempotent,
                                                                                 stored):
    cluster, producer = shop(enable_idempotence=idempotent)
    producer.send("orders", "a").get()
    cluster.pause(1)
    receipt = producer.send("orders", "b")
    cluster.run(ms=600)
    cluster.resume(1)
    receipt.get()
    cluster.run(ms=50)
    assert values(cluster, 1) == stored


def test_a_topic_created_during_a_pause_is_opened_afterwards():
    cluster = Cluster(3, seed=7)
    cluster.pause(3)
    cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
    receipt = cluster.producer(acks="all", linger_ms=0).send("orders", "a")
    cluster.run(ms=100)
    assert not receipt.done() and "orders-0@3" not in cluster.subjects()
    assert [flight for flight in cluster.trace.flights
            if flight[3] == "broker-3" and flight[5] >= 0] == []
    cluster.resume(3)
    assert receipt.get().offset == 0 and values(cluster, 3) == ["a"]


def test_a_broker_that_is_down_at_creation_is_not_in_sync_and_is_not_waited_for():
    cluster = Cluster(3, seed=7)
    cluster.kill(1)
    cluster.run(ms=12_000)                                     # the controller has noticed
    cluster.create_topic("orders", configs={"min.insync.replicas": 2},
                         replica_assignment={0: [1, 2, 3]})
    leader = cluster.look("orders-0@2")
    assert (leader.role, leader.isr, leader.replicas) == ("leader", (2, 3), (1, 2, 3))
    assert cluster.producer(acks="all").send("orders", "a").get().offset == 0
    cluster.restart(1)
    in_sync(cluster, 1)
    assert values(cluster, 1) == ["a"] and cluster.look("orders-0@2").isr == (1, 2, 3)


def test_requests_pass_a_link_that_is_cut_in_the_other_direction():
    cluster, producer = shop()
    producer.send("orders", "a").get()
    cluster.cut(1, "producer-1")
    receipt = producer.send("orders", "b")
    cluster.run(ms=100)
    assert values(cluster, 1) == ["a", "b"] and not receipt.done()
    cluster.heal()
    assert receipt.get().offset == 1                           # the same batch: a duplicate
    assert values(cluster, 1) == ["a", "b"]


def test_a_partition_of_the_network_cuts_both_ways_and_heals():
    cluster, producer = shop(**{"replica.socket.timeout.ms": 1_000})
    producer.send("orders", "a").get()
    cluster.partition({1, producer}, {2, 3})
    receipt, side, began_us = producer.send("orders", "b"), {"broker-2", "broker-3"}, \
        cluster.now_ms * 1_000
    cluster.run(ms=100)
    crossed = [flight for flight in cluster.trace.flights if flight[5] >= began_us
               and flight[6] is not None and "controller-100" not in flight[3:5]
               and len({flight[3], flight[4]} & side) == 1]
    assert crossed == [] and not receipt.done()
    cluster.heal()
    cluster.run(ms=3_000)
    assert values(cluster, 1) == values(cluster, 2) == values(cluster, 3)
    assert cluster.look("orders-0@1").high_watermark == len(values(cluster, 1))


def test_a_slow_follower_is_slow_until_it_is_told_otherwise():
    cluster, producer = shop()
    cluster.slow(3, fetch_ms=200)
    producer.send("orders", "a").get()
    assert cluster.now_ms > 200
    cluster.slow(3, fetch_ms=0)
    cluster.run(ms=500)
    began = cluster.now_ms
    producer.send("orders", "b").get()
    assert cluster.now_ms - began < 10


def test_healing_mends_links_and_leaves_slow_brokers_slow():
    cluster, producer = shop()
    cluster.slow(3, fetch_ms=200)
    cluster.heal()
    producer.send("orders", "a").get()
    assert cluster.now_ms > 200


def test_a_lossy_link_is_survived_by_retries():
    cluster, _ = shop(**{"replica.socket.timeout.ms": 300, "replica.fetch.backoff.ms": 20})
    producer = cluster.producer(acks="all", linger_ms=0, request_timeout_ms=300)
    cluster.lossy("producer-2", 1, per_mille=300)
    cluster.lossy(1, 3, per_mille=300)
    receipts = [producer.send("orders", str(number)) for number in range(5)]
    for receipt in receipts:
        receipt.get()
    cluster.heal()
    cluster.run(ms=1_000)
    assert {str(number) for number in range(5)} == set(values(cluster, 1)) == \
        set(values(cluster, 3))
    assert any(flight[6] is None for flight in cluster.trace.flights)


def test_one_lost_answer_of_a_fetch_holds_the_mark_until_the_follower_gives_up():
    cluster, _ = shop(**{"replica.socket.timeout.ms": 700, "replica.fetch.backoff.ms": 50})
    producer = cluster.producer(acks="all", linger_ms=0)
    cluster.drop("response-broker-3-fetcher-0.1")
    receipt = producer.send("orders", "a")
    cluster.run(ms=700)
    assert not receipt.done() and cluster.look("orders-0@1").high_watermark == 0
    assert receipt.get().offset == 0 and 750 < cluster.now_ms < 800


def test_one_late_answer_of_a_fetch_holds_the_mark_so_long_and_nobody_gives_up():
    cluster, producer = shop()
    cluster.delay("response-broker-3-fetcher-0.1", ms=300)
    assert producer.send("orders", "a").get().offset == 0 and 300 < cluster.now_ms < 310
    assert not [event for event in cluster.trace.events if event[4] == "disconnected"]
    assert cluster.again().trace.digest() == cluster.trace.digest()


def test_a_request_on_its_way_is_held_up_and_is_not_overtaken():
    cluster, producer = shop()
    producer.send("orders", "a").get()
    receipts = [producer.send("orders", value) for value in "bc"]
    cluster.delay("request-producer-1.4", ms=50)
    began = cluster.now_ms
    cluster.run(ms=40)
    assert values(cluster, 1) == ["a"]
    assert [receipt.get().offset for receipt in receipts] == [1, 2]
    assert 50 < cluster.now_ms - began < 60 and values(cluster, 1) == list("abc")
    assert cluster.again().trace.digest() == cluster.trace.digest()


def test_a_delay_of_nothing_is_no_delay():
    told = []
    for ms in (None, 0):
        cluster, producer = shop()
        if ms is not None:
            cluster.delay("response-broker-3-fetcher-0.1", ms=ms)
        producer.send("orders", "a").get()
        told.append((cluster.now_ms, [flight[1:] for flight in cluster.trace.flights]))
    assert told[0] == told[1]


def test_a_single_replica_survives_a_crash_and_not_always_a_power_loss():
    cluster, producer = shop(replication_factor=1)
    producer.send("orders", "paid").get()
    cluster.kill(1)
    assert values(cluster, 1) == ["paid"]
    cluster.restart(1)
    lost = set()
    for seed in range(20):
        other = Cluster(3, seed=seed)
        other.create_topic("orders", replica_assignment={0: [1]})
        assert other.producer(acks="all").send("orders", "paid").get().offset == 0
        other.power_loss(1)
        lost.add(tuple(values(other, 1)))
    assert lost == {(), ("paid",)}
