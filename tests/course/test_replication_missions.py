"""Module 3's missions: each is done by what its hint says, and not before."""

import pytest

from kafka_internals import Cluster
from kafka_internals.course import canonical
from kafka_internals.course.replication_missions import (
    GROUPS,
    longest_stand_ms,
    lost,
    missions,
    outsiders,
)
from kafka_internals.course.sandbox import DONE, sandbox
from kafka_internals.viz.replication_view import replication_view
from tests.course.test_sandbox import open_missions, press


@pytest.fixture
def cluster():
    return canonical.healthy()


@pytest.fixture
def panel():
    DONE.clear()
    yield sandbox(canonical.healthy, replication_view, "orders-0", missions=missions(),
                  groups=GROUPS, name="missions of module 3")
    DONE.clear()


def _done(cluster):
    return [mission.met(cluster) for mission in missions()]


def _sent(cluster, acks="all"):
    return cluster.producer(acks=acks).send("orders", "paid 20 EUR", partition=0).get()


def test_a_cluster_that_only_works_has_none_of_them(cluster):
    assert _done(cluster) == [False] * 3
    _sent(cluster)
    cluster.run(ms=60_000)
    assert _done(cluster) == [False] * 3


# -- a record is lost ------------------------------------------------------------------------------
def test_power_loss_after_two_kills_loses_what_two_disks_hold(panel):
    press(panel, "Send", ms=20)
    press(panel, "Kill", broker=3, ms=10_000)
    press(panel, "Kill", broker=2)
    press(panel, "Power loss", "Restart", broker=1)
    assert lost(panel.cluster) == [] and 1 in open_missions(panel)      # nobody leads yet
    press(panel, "Restart", broker=2)
    press(panel, "Restart", broker=3)
    assert [offset for _, offset in lost(panel.cluster)] == [0] and 1 not in open_missions(panel)


def test_orderly_stops_lose_nothing(panel):
    press(panel, "Send", ms=20)
    press(panel, "Stop in good order", broker=3, ms=1_000)
    press(panel, "Stop in good order", broker=2)
    press(panel, "Power loss", broker=1, ms=10_000)
    for broker in (2, 3, 1):
        press(panel, "Restart", broker=broker)
    assert lost(panel.cluster) == [] and 1 in open_missions(panel)


def test_what_was_promised_by_the_leader_alone_does_not_count(cluster):
    cluster.partition([1], [2, 3])
    _sent(cluster, acks="1")
    cluster.kill(1)
    cluster.run(ms=12_000)
    assert cluster.look("orders-0@2").role == "leader" and cluster.log("orders-0", 2) == []
    assert lost(cluster) == []


def test_another_record_at_its_offset_is_a_loss_too():
    cluster = Cluster(seed=7)
    cluster.create_topic("orders", replica_assignment={0: [1, 2]}, configs={
        "min.insync.replicas": 1, "unclean.leader.election.enable": True})
    cluster.kill(2)
    _sent(cluster)
    cluster.kill(1)
    cluster.restart(2)
    cluster.producer(acks="1").send("orders", "another").get()
    assert [offset for _, offset in lost(cluster)] == [0]


# -- a mark stands ---------------------------------------------------------------------------------
def test_a_mark_stands_while_one_follower_does_not_fetch(cluster):
    cluster.slow(3, fetch_ms=60_000)
    cluster.producer().send("orders", "paid 20 EUR", partition=0)
    cluster.run(ms=30_000)
    assert _done(cluster) == [False] * 3
    cluster.run(ms=100)
    assert _done(cluster) == [False, True, False]
    cluster.run(ms=20_000)                                      # broker 3 is out of the ISR
    assert 44_000 < longest_stand_ms(cluster) < 45_100


def test_a_mark_stands_while_the_isr_is_below_its_minimum(panel):
    press(panel, "Kill", broker=3, ms=10_000)
    press(panel, "Kill", broker=2)
    press(panel, "Send", acks="1", ms=10_000)
    assert 2 in open_missions(panel)
    press(panel, "Let time pass", "Let time pass", "Let time pass")
    assert 2 not in open_missions(panel)


def test_a_follower_that_was_not_told_is_no_mark_that_stands(cluster):
    cluster.cut("broker-1", "broker-2")
    _sent(cluster, acks="1")
    cluster.run(ms=8_000)
    assert longest_stand_ms(cluster) < 8_100 and _done(cluster) == [False] * 3


# -- an heir ---------------------------------------------------------------------------------------
def test_the_elr_gives_a_leader_that_was_not_in_the_isr(panel):
    press(panel, "Stop in good order", broker=3, ms=100)
    press(panel, "Stop in good order", broker=2)
    press(panel, "Kill", broker=1, ms=10_000)
    assert outsiders(panel.cluster) == [] and 3 in open_missions(panel)
    press(panel, "Restart", broker=2)
    assert set(outsiders(panel.cluster)) == {(f"orders-{number}", 2) for number in range(3)}
    assert 3 not in open_missions(panel)


def test_an_election_from_the_isr_does_not_count(cluster):
    _sent(cluster)
    cluster.kill(1)
    cluster.run(ms=12_000)
    assert cluster.look("orders-0@2").role == "leader" and outsiders(cluster) == []
