"""Disks: one that is full ends the broker that has to write to it; a page is dirty for a while."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.invariants import put_on_trial
from kafka_internals.errors import IllegalStateException


def shop():
    cluster = Cluster(3, seed=7)
    cluster.create_topic("orders", configs={"min.insync.replicas": 2},
                         replica_assignment={0: [1, 2, 3]})
    put_on_trial(cluster.machine)
    return cluster, cluster.producer(acks="all", linger_ms=0)


def test_a_leader_whose_disk_is_full_halts_and_says_why():
    cluster, producer = shop()
    producer.send("orders", "fits").get()
    cluster.full_disk(1, free_bytes=20)
    cluster.run(ms=1)
    assert cluster.look("broker-1").state == "running"             # nothing to write, nothing wrong
    lost = producer.send("orders", "does not fit")
    cluster.run(ms=50)
    assert cluster.look("broker-1").state == "crashed" and not lost.done()
    why = str(cluster.why("broker-1", "state"))
    assert "only log directory fails" in why and "No space left on device" in why
    assert [record.value for record in cluster.log("orders-0", 2)] == ["fits"]


def test_a_follower_whose_disk_is_full_holds_up_the_mark_while_it_is_thought_to_be_there():
    cluster, producer = shop()
    producer.send("orders", "fits").get()
    cluster.full_disk(3)
    late = producer.send("orders", "late")
    cluster.run(ms=100)
    assert cluster.look("broker-3").state == "crashed" and not late.done()
    with pytest.raises(IllegalStateException, match="restart"):
        cluster.pause(3)
    cluster.free_disk(3)
    cluster.restart(3)
    assert late.get().offset == 1
    cluster.run(ms=12_000)
    assert cluster.look("orders-0@1").isr == (1, 2, 3)
    assert [record.value for record in cluster.log("orders-0", 3)] == ["fits", "late"]


def test_a_broker_whose_disk_is_full_does_not_start():
    cluster, producer = shop()
    producer.send("orders", "fits").get()
    cluster.kill(2)
    cluster.full_disk(2)
    cluster.restart(2)
    cluster.run(ms=6_000)
    assert cluster.look("broker-2").state == "crashed"


def test_an_orderly_stop_on_a_full_disk_is_a_crash():
    cluster, producer = shop()
    producer.send("orders", "fits").get()
    cluster.full_disk(2)
    cluster.stop(2)
    assert cluster.look("broker-2").state == "crashed"


def test_it_happens_again_in_every_replay():
    cluster, producer = shop()
    cluster.full_disk(1, free_bytes=10)
    producer.send("orders", "does not fit")
    cluster.run(ms=50)
    kept, _ = cluster.fork(at=cluster.event)
    assert kept.look("broker-1").state == cluster.look("broker-1").state == "crashed"
    with pytest.raises(ValueError, match="free_bytes=-1"):
        cluster.full_disk(1, free_bytes=-1)


@pytest.mark.parametrize("ms, kept", [(29_000, []), (36_000, ["paid"])])
def test_a_power_loss_takes_an_only_copy_while_it_is_dirty_and_not_later(ms, kept):
    cluster = Cluster(1, seed=7)
    cluster.create_topic("receipts", 1, 1)
    cluster.producer(linger_ms=0).send("receipts", "paid").get()
    cluster.run(ms=ms)
    cluster.power_loss(1)
    cluster.restart(1)
    assert [record.value for record in cluster.log("receipts-0", 1)] == kept
