"""One produce and what may go wrong with it: kill, run until, expect."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.course import canonical
from kafka_internals.errors import TimeoutException

QUICK = {"request.timeout.ms": 400, "delivery.timeout.ms": 1_000}


def test_acks_all_waits_for_the_slow_follower():
    cluster = canonical.slow_follower(fetch_ms=400)
    cluster.run_until(lambda: any(one.startswith("parked-broker-3-fetcher")
                                  for one in cluster.subjects()))
    began = cluster.now_ms                      # a fetch of the slow one waits at the leader
    receipt = cluster.producer(acks="all", linger_ms=0).send("orders", "paid", partition=0)
    cluster.run(ms=300)
    assert not receipt.done()
    assert receipt.get().offset == 0
    assert 400 < cluster.now_ms - began < 410


def test_acks_1_does_not_wait_for_anybody():
    cluster = canonical.slow_follower(fetch_ms=400)
    cluster.producer(acks="1", linger_ms=0).send("orders", "paid", partition=0).get()
    assert cluster.now_ms < 10
    assert cluster.look("orders-0@1").high_watermark == 0


def test_a_dead_follower_holds_the_high_watermark_until_its_session_is_over():
    cluster = canonical.healthy()
    cluster.kill(3)
    receipt = cluster.producer(acks="all", linger_ms=0).send("orders", "paid", partition=0)
    cluster.run(ms=7_000)
    assert cluster.look("orders-0@1").high_watermark == 0 and not receipt.done()
    assert receipt.get().offset == 0
    assert cluster.look("orders-0@1").isr == (1, 2) and cluster.log("orders-0", 3) == []
    cluster.restart(3)
    cluster.run_until(lambda: 3 in cluster.look("orders-0@1").isr)
    assert [record.value for record in cluster.log("orders-0", 3)] == ["paid"]


def test_below_min_isr_nothing_is_written_and_the_client_is_told_in_the_end():
    cluster = Cluster()
    cluster.kill(2)
    cluster.kill(3)
    cluster.run(ms=12_000)                      # their sessions are over: nobody else is in sync
    cluster.create_topic("orders", configs={"min.insync.replicas": 2})
    assert cluster.look("orders-0@1").isr == (1,)
    receipt = cluster.producer(acks="all", configs=QUICK).send("orders", "paid")
    with pytest.raises(TimeoutException, match="Expiring 1 record"):
        receipt.get()
    assert cluster.log("orders-0", 1) == []
    answers = [change[4] for change in cluster.trace.changes if change[2] == "answer"]
    assert "orders-0 NOT_ENOUGH_REPLICAS" in answers


def test_an_acknowledged_record_is_lost_with_the_power_of_the_only_replica():
    cluster = Cluster(seed=1)
    cluster.create_topic("receipts", replica_assignment={0: [1]})
    assert cluster.producer(acks="all").send("receipts", "paid 20 EUR").get().offset == 0
    assert len(cluster.log("receipts-0", 1)) == 1
    cluster.power_loss(1)
    cluster.restart(1)
    assert cluster.log("receipts-0", 1) == []


def test_a_crash_alone_loses_nothing():
    cluster = Cluster(seed=11)
    cluster.create_topic("receipts", replica_assignment={0: [1]})
    cluster.producer(acks="all").send("receipts", "paid 20 EUR").get()
    cluster.kill(1)
    cluster.restart(1)
    assert [record.value for record in cluster.log("receipts-0", 1)] == ["paid 20 EUR"]


def test_a_killed_leader_has_no_successor_until_its_session_is_over_and_follows_it_then():
    cluster = canonical.healthy()
    cluster.run(ms=10)
    cluster.kill(1)
    cluster.restart(1)
    with pytest.raises(TimeoutException):
        cluster.producer(configs=QUICK).send("orders", "too early", partition=0).get()
    receipt = cluster.producer().send("orders", "paid", partition=0)
    assert receipt.get().offset == 0 and cluster.now_ms > 8_000
    cluster.run_until(lambda: 1 in cluster.look("orders-0@2").isr)
    assert [cluster.look(f"orders-0@{broker}").role for broker in (1, 2, 3)] == \
        ["follower", "leader", "follower"]
    assert [record.value for record in cluster.log("orders-0", 1)] == ["paid"]


def test_a_consumer_sees_nothing_above_the_high_watermark():
    cluster = canonical.slow_follower(fetch_ms=200)
    cluster.producer(acks="1", linger_ms=0).send("orders", "paid", partition=0).get()
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    assert consumer.poll(100) == []
    assert [record.value for record in consumer.poll(500)] == ["paid"]


def test_a_cut_follower_catches_up_when_the_link_is_mended():
    cluster = Cluster(configs={"replica.socket.timeout.ms": 1_000})
    cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
    cluster.partition({3}, {1, 2})
    receipt = cluster.producer(acks="all", linger_ms=0).send("orders", "paid")
    cluster.run(ms=5_000)
    assert not receipt.done()
    cluster.heal()
    assert receipt.get().offset == 0


@pytest.mark.parametrize("idempotent, stored", [(False, ["paid", "paid"]), (True, ["paid"])])
def test_a_produce_that_times_out_is_sent_again_and_stored_twice_without_idempotence(idempotent,
                                                                                     stored):
    cluster = canonical.healthy()
    cluster.partition({3}, {1, 2})
    producer = cluster.producer(acks="all", linger_ms=0, enable_idempotence=idempotent)
    receipt = producer.send("orders", "paid", partition=0)
    cluster.run(ms=5_000)
    cluster.heal()
    assert receipt.get().offset == len(stored) - 1
    assert [record.value for record in cluster.log("orders-0", 1)] == stored


def test_acks_0_is_satisfied_with_having_sent():
    cluster = canonical.healthy()
    receipt = cluster.producer(acks="0", linger_ms=0).send("orders", "paid", partition=0)
    assert receipt.get().offset == -1
    cluster.run(ms=10)
    assert [record.value for record in cluster.log("orders-0", 1)] == ["paid"]
