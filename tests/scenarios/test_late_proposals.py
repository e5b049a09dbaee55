"""A leader proposes another ISR, the controller hears of it late, and meanwhile things happen."""

import pytest

from kafka_internals import Cluster
from kafka_internals.cluster.invariants import put_on_trial
from kafka_internals.sim.invariants import InvariantViolated

PACE = {"replica.lag.time.max.ms": 2_000, "replica.socket.timeout.ms": 600}


def shop(**unsafe):
    """Three brokers under every judge; broker 1 leads."""
    cluster = Cluster(3, seed=7, configs=PACE, unsafe=unsafe)
    put_on_trial(cluster.machine)
    cluster.create_topic("orders", configs={"min.insync.replicas": 2},
                         replica_assignment={0: [1, 2, 3]})
    return cluster, cluster.producer(acks="1", linger_ms=0)


def proposed(cluster, state: str, late_ms: int) -> None:
    """Let the leader ask for another ISR; the controller hears of it so much later."""
    def asked() -> list[str]:
        return [flight[1] for flight in cluster.trace.flights if "-alter-partition." in flight[1]]

    cluster.run_until(asked)
    assert cluster.look("orders-0@1").isr_state == state
    cluster.delay(*asked(), ms=late_ms)


def is_coming_back(late_ms: int, **unsafe):
    """Broker 3 was away, has caught up, and the leader wants it in."""
    cluster, producer = shop(**unsafe)
    cluster.kill(3)
    cluster.run(ms=12_000)
    producer.send("orders", "paid").get()
    cluster.restart(3)
    proposed(cluster, "PENDING EXPAND", late_ms)
    return cluster


def written(cluster, attribute: str) -> list:
    """What the controller wrote about the partition, in order."""
    return [change[4] for change in cluster.trace.changes
            if change[1:3] == ("orders-0@controller-100", attribute)]


def test_who_catches_up_while_it_is_on_its_way_out_goes_and_comes_back():
    cluster, producer = shop()
    cluster.partition({1}, {3})
    producer.send("orders", "paid").get()
    proposed(cluster, "PENDING SHRINK", late_ms=8_000)
    cluster.heal()
    cluster.run(ms=6_000)
    one = cluster.look("orders-0@1")
    assert dict(one.remote_log_end_offset)[3] == one.log_end_offset == one.high_watermark == 1
    assert (one.isr_state, one.isr) == ("PENDING SHRINK", (1, 2, 3))     # one change at a time
    cluster.run(ms=4_000)
    assert [set(isr) for isr in written(cluster, "isr")[1:]] == [{1, 2}, {1, 2, 3}]
    assert cluster.look("orders-0@1").isr_state == "COMMITTED"


def test_who_is_fenced_before_the_controller_hears_of_it_does_not_come_in():
    cluster = is_coming_back(late_ms=15_000)
    epoch = cluster.look("orders-0@1").partition_epoch
    cluster.kill(3)
    cluster.run(ms=20_000)
    one = cluster.look("orders-0@1")
    assert (one.isr_state, one.isr, one.partition_epoch) == ("COMMITTED", (1, 2), epoch)
    assert refused(cluster)


def refused(cluster) -> bool:
    return any("INELIGIBLE_REPLICA" in str(change[4]) for change in cluster.trace.changes
               if change[2] == "answer" and "-alter-partition." in change[1])


@pytest.mark.parametrize("unsafe", [{}, {"broker_epochs": False}])
def test_who_lost_its_log_meanwhile_is_another_incarnation(unsafe):
    """Its process registers anew, under the same id; KIP-903 tells the two apart."""
    cluster = is_coming_back(late_ms=20_000, **unsafe)
    cluster.lose_disk(3)
    cluster.partition({1}, {3})
    cluster.restart(3)
    cluster.run(ms=17_000)
    assert not cluster.look("broker-3@controller-100").fenced
    assert cluster.look("orders-0@3").log_end_offset == 0
    if unsafe:
        with pytest.raises(InvariantViolated, match="LeaderCandidateCompleteness .* broker 3"):
            cluster.run(ms=8_000)
    else:
        cluster.run(ms=8_000)
        assert cluster.look("orders-0@1").isr == (1, 2) and refused(cluster)
