"""Settings that matter once a controller elects: lag, racks, selectors, unclean elections."""

import pytest

from kafka_internals import Cluster
from kafka_internals.errors import ConfigException
from kafka_internals.server.replica_selector import RACK_AWARE

RACKS = {1: "north", 2: "south", 3: "east"}


def started(configs=None, topic=None, replicas=(1, 2, 3), **options):
    """A topic that broker 1 leads, a producer, and "a" in it."""
    cluster = Cluster(seed=7, configs=configs, **options)
    cluster.create_topic("orders", configs=topic, replica_assignment={0: list(replicas)})
    producer = cluster.producer(acks="all")
    producer.send("orders", "a").get()
    return cluster, producer


def orders(cluster):
    """What the controller has written about orders-0."""
    return cluster.look("orders-0@controller-100")


def fetched_from(cluster, consumer) -> set[str]:
    """The brokers that a consumer's last two requests went to."""
    sent = [flight[4] for flight in cluster.trace.flights
            if flight[3] == consumer.name and flight[2] == "request"]
    return set(sent[-2:])


# -- replica.lag.time.max.ms -----------------------------------------------------------------------
@pytest.mark.parametrize("lag_ms, isr", [(2_000, {1, 2}), (30_000, {1, 2, 3})])
def test_a_follower_that_cannot_fetch_leaves_the_isr_when_it_lags_for_too_long(lag_ms, isr):
    cluster, producer = started({"replica.lag.time.max.ms": lag_ms})
    cluster.cut(3, 1)
    begin_ms, waiting = cluster.now_ms, producer.send("orders", "b")
    cluster.run_until(lambda: waiting.done() or cluster.now_ms > begin_ms + 4_000)
    assert set(orders(cluster).isr) == isr and waiting.done() is (isr == {1, 2})
    if waiting.done():
        assert lag_ms <= cluster.now_ms - begin_ms <= 1.5 * lag_ms + 200       # looked at twice
        cluster.heal()
        cluster.run_until(lambda: set(orders(cluster).isr) == {1, 2, 3})


# -- client.rack, replica.selector.class -----------------------------------------------------------
def test_a_consumer_reads_from_the_replica_in_its_rack():
    cluster, producer = started({"replica.selector.class": RACK_AWARE}, racks=RACKS)
    consumer = cluster.consumer(auto_offset_reset="earliest", client_rack="south")
    consumer.assign("orders-0")
    read = []
    while len(read) < 1:
        read += [record.value for record in consumer.poll(1_000)]
    producer.send("orders", "b").get()
    while len(read) < 2:
        read += [record.value for record in consumer.poll(1_000)]
    assert read == ["a", "b"] and fetched_from(cluster, consumer) == {"broker-2"}


@pytest.mark.parametrize("configs, rack", [({}, "south"),
                                           ({"replica.selector.class": RACK_AWARE}, "west"),
                                           ({"replica.selector.class": RACK_AWARE}, "")])
def test_without_a_selector_or_a_replica_in_its_rack_it_reads_from_the_leader(configs, rack):
    cluster, _ = started(configs, racks=RACKS)
    consumer = cluster.consumer(auto_offset_reset="earliest", client_rack=rack)
    consumer.assign("orders-0")
    assert [record.value for record in consumer.poll(1_000)] == ["a"]
    assert fetched_from(cluster, consumer) == {"broker-1"}


def test_a_rack_for_all_brokers_is_what_the_controller_hears_of_each_that_has_none_of_its_own():
    cluster = Cluster(seed=7, configs={"broker.rack": "north"}, racks={2: "south"})
    assert [cluster.look(f"broker-{one}@controller-100").rack for one in (1, 2, 3)] == [
        "north", "south", "north"]


def test_an_unknown_selector_is_refused_by_name_with_those_that_there_are():
    with pytest.raises(ConfigException) as refused:
        Cluster(configs={"replica.selector.class": "com.shop.NearestReplicaSelector"})
    assert str(refused.value) == (
        "Invalid value com.shop.NearestReplicaSelector for configuration replica.selector.class: "
        "Class com.shop.NearestReplicaSelector could not be found; there is "
        "org.apache.kafka.common.replica.RackAwareReplicaSelector, "
        "org.apache.kafka.common.replica.LeaderSelector")


# -- unclean.leader.election.enable ----------------------------------------------------------------
@pytest.mark.parametrize("enabled", [False, True])
def test_a_replica_that_is_not_in_sync_leads_only_where_its_topic_allows_it(enabled):
    """And what only the last member of the ISR had is gone then."""
    cluster, producer = started(topic={"unclean.leader.election.enable": enabled},
                                replicas=(1, 2))
    cluster.kill(2)
    cluster.run_until(lambda: orders(cluster).isr == (1,))
    assert producer.send("orders", "b").get().offset == 1
    cluster.kill(1)
    cluster.restart(2)
    cluster.run(ms=15_000)
    assert cluster.look("broker-1@controller-100").fenced
    assert not cluster.look("broker-2@controller-100").fenced
    assert orders(cluster).leader == (2 if enabled else -1)
    cluster.restart(1)
    cluster.run_until(lambda: set(orders(cluster).isr) == {1, 2}, limit_ms=20_000)
    kept = ["a"] if enabled else ["a", "b"]
    assert [[record.value for record in cluster.log("orders-0", one)] for one in (1, 2)] == [
        kept, kept]
