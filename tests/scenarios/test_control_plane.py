"""A cluster with its controller: it boots, brokers come and go, clients follow their leaders."""

import pytest

from kafka_internals import Cluster
from kafka_internals.errors import (
    InvalidReplicationFactorException,
    LogTruncationException,
    TopicExistsException,
)

ORDERS = {0: [1, 2, 3]}


def started(seed: int = 7, **options):
    """Three brokers, and a topic that broker 1 leads."""
    cluster = Cluster(seed=seed, **options)
    topic = cluster.create_topic("orders", configs={"min.insync.replicas": 2},
                                 replica_assignment=ORDERS)
    return cluster, topic


def metadata_log(node) -> bytes:
    names = [name for name in node.disk.names("__cluster_metadata-0") if name.endswith(".log")]
    return b"".join(node.disk.read(f"__cluster_metadata-0/{name}") for name in names)


def orders(cluster):
    """What the controller has written about orders-0."""
    return cluster.look("orders-0@controller-100")


def isr(cluster) -> set[int]:
    return set(orders(cluster).isr)


def sent(cluster, producer, *values) -> list[int]:
    receipts = [producer.send("orders", value) for value in values]
    return [receipt.get().offset for receipt in receipts]


def read(cluster, count: int) -> list[str]:
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    found = []
    while len(found) < count:
        records = consumer.poll(1_000)
        assert records
        found += [record.value for record in records]
    return found


def silence_ms(cluster, broker: int) -> float:
    """Let the controller notice that a broker is gone; how long that takes from now."""
    begin_ms = cluster.now_ms
    cluster.run_until(lambda: cluster.look(f"broker-{broker}@controller-100").fenced)
    return cluster.now_ms - begin_ms


# -- boot ------------------------------------------------------------------------------------------
def test_a_cluster_boots_before_its_story_begins():
    cluster = Cluster(seed=7)
    assert cluster.now_ms < 0 and cluster.event == 0 and cluster.trace.events == []
    assert cluster.look("controller-100").claim_epoch == 1
    for broker in (1, 2, 3):
        one = cluster.look(f"broker-{broker}@controller-100")
        assert (one.state, one.fenced) == ("UNFENCED", False)
        life = cluster.look(f"broker-{broker}-lifecycle")
        assert (life.state, life.broker_epoch) == ("RUNNING", one.epoch)


def test_every_metadata_log_is_a_beginning_of_the_controllers():
    cluster, _ = started()
    cluster.run(ms=700)
    whole = metadata_log(cluster.machine.controller)
    for node in cluster.machine.brokers.values():
        own = metadata_log(node)
        assert own and whole.startswith(own)
    cluster.run(ms=90)
    assert {metadata_log(node) for node in cluster.machine.brokers.values()} == {whole}


def test_the_story_begins_at_zero_when_the_scene_is_set():
    cluster, _ = started()
    producer = cluster.producer()
    assert cluster.now_ms < 0
    receipt = producer.send("orders", "a")
    assert cluster.now_ms == 0
    assert receipt.get().offset == 0


def test_the_controller_says_what_is_wrong_with_a_topic():
    cluster, _ = started()
    with pytest.raises(TopicExistsException, match="Topic 'orders' already exists"):
        cluster.create_topic("orders")
    with pytest.raises(InvalidReplicationFactorException, match="only 3 broker"):
        cluster.create_topic("more", 1, 4)


def test_a_run_with_a_controller_is_the_same_again():
    cluster, _ = started()
    producer = cluster.producer(acks="all")
    sent(cluster, producer, "a", "b")
    cluster.kill(1)
    cluster.run(ms=12_000)
    cluster.restart(1)
    cluster.run(ms=3_000)
    assert cluster.again().trace.digest() == cluster.trace.digest()


# -- a broker dies ---------------------------------------------------------------------------------
def test_a_producer_loses_its_leader_and_goes_on_and_nothing_acknowledged_is_lost():
    cluster, _ = started()
    producer = cluster.producer(acks="all")
    assert sent(cluster, producer, "a", "b") == [0, 1]
    cluster.kill(1)
    waiting = producer.send("orders", "c")
    assert 8_000 <= silence_ms(cluster, 1) <= 10_200                 # broker.session.timeout.ms
    cluster.run_until(waiting.done)
    assert waiting.value().offset == 2
    assert (orders(cluster).leader, orders(cluster).leader_epoch) == (2, 1)
    assert isr(cluster) == {2, 3}
    assert read(cluster, 3) == ["a", "b", "c"]


@pytest.mark.parametrize("ends", ["kill", "power_loss", "lose_disk"])
def test_a_broker_that_comes_back_registers_anew_catches_up_and_is_in_sync_again(ends):
    cluster, _ = started()
    producer = cluster.producer(acks="all")
    sent(cluster, producer, "a", "b")
    before = cluster.look("broker-1@controller-100").epoch
    getattr(cluster, ends)(1)
    silence_ms(cluster, 1)
    sent(cluster, producer, "c")
    cluster.restart(1)
    cluster.run_until(lambda: 1 in isr(cluster), limit_ms=5_000)
    assert cluster.look("broker-1@controller-100").epoch > before
    assert orders(cluster).leader == 2                               # nobody gives leadership back
    assert [record.value for record in cluster.log("orders-0", 1)] == ["a", "b", "c"]


def test_the_only_replica_comes_back_and_leads_again():
    cluster = Cluster(seed=7)
    cluster.create_topic("orders", replica_assignment={0: [1]})
    producer = cluster.producer(acks="all")
    sent(cluster, producer, "a")
    cluster.kill(1)
    silence_ms(cluster, 1)
    assert orders(cluster).leader == -1
    cluster.restart(1)
    assert sent(cluster, producer, "b") == [1]
    assert orders(cluster).leader == 1 and read(cluster, 2) == ["a", "b"]


def test_a_client_that_knows_only_the_dead_asks_those_it_began_with():
    """KIP-899: broker 1 was no member when the client last heard, and is all there is now."""
    cluster = Cluster(brokers=2, seed=7)
    cluster.create_topic("orders", replica_assignment={0: [1, 2]}, configs={
        "min.insync.replicas": 1, "unclean.leader.election.enable": True})
    producer = cluster.producer(acks="1")
    cluster.kill(1)
    silence_ms(cluster, 1)
    assert sent(cluster, producer, "told to 2") == [0]
    cluster.kill(2)
    cluster.restart(1)
    silence_ms(cluster, 2)
    assert sent(cluster, producer, "told to 1") == [0]
    assert cluster.look("orders-0@1").leader_epoch == 2


# -- a broker stops --------------------------------------------------------------------------------
def test_a_broker_that_stops_hands_over_what_it_leads_first():
    cluster, _ = started()
    producer = cluster.producer(acks="all")
    sent(cluster, producer, "a")
    cluster.stop(1)
    assert cluster.look("broker-1").state == "stopped"
    assert orders(cluster).leader == 2 and isr(cluster) == {2, 3}
    begin_ms = cluster.now_ms
    assert sent(cluster, producer, "b") == [1]
    assert cluster.now_ms - begin_ms < 1_000                         # nobody waits for a session


def test_after_a_clean_stop_a_broker_says_which_epoch_it_had():
    cluster, _ = started()
    had = cluster.look("broker-1@controller-100").epoch
    cluster.stop(1)
    asked = [change.new for change in map(cluster.trace.change, range(len(cluster.trace.changes)))
             if change.attribute == "asked" and "register" in str(change.new)]
    assert asked == []
    cluster.restart(1)
    cluster.run_until(lambda: 1 in isr(cluster), limit_ms=15_000)
    asked = [change[4] for change in cluster.trace.changes
             if change[2] == "asked" and str(change[4]).startswith("register broker 1")]
    assert asked and set(asked) == {f"register broker 1 after epoch {had}"}


def test_a_killed_broker_that_starts_again_at_once_waits_for_its_own_old_session():
    cluster, _ = started()
    cluster.kill(3)
    cluster.restart(3)
    cluster.run(ms=5_000)
    assert cluster.look("broker-3-lifecycle").state == "STARTING"
    refused = [change[4] for change in cluster.trace.changes if change[2] == "answer"]
    assert "DUPLICATE_BROKER_REGISTRATION" in refused
    cluster.run_until(lambda: 3 in isr(cluster), limit_ms=10_000)


def test_a_paused_broker_is_fenced_and_takes_its_place_again():
    cluster, _ = started()
    cluster.pause(1)
    silence_ms(cluster, 1)
    assert orders(cluster).leader == 2
    cluster.resume(1)
    cluster.run_until(lambda: 1 in isr(cluster), limit_ms=5_000)
    assert cluster.look("orders-0@1").role == "follower"


def test_a_broker_that_is_cut_off_from_the_controller_is_fenced_and_leads_no_more():
    cluster, _ = started()
    producer = cluster.producer(acks="all")
    sent(cluster, producer, "a")
    cluster.partition({1}, {"controller-100"})
    silence_ms(cluster, 1)
    assert orders(cluster).leader == 2
    assert cluster.look("orders-0@1").role == "leader"               # it cannot know
    assert sent(cluster, producer, "b") == [1]
    cluster.heal()
    cluster.run_until(lambda: 1 in isr(cluster), limit_ms=10_000)
    assert read(cluster, 2) == ["a", "b"]


@pytest.mark.parametrize("policy", ["none", "latest"])
def test_a_g18_a_consumer_that_read_what_an_unclean_leader_never_had_is_told_or_goes_back(policy):
    cluster = Cluster(seed=7)
    cluster.create_topic("orders", configs={"unclean.leader.election.enable": True},
                         replica_assignment=ORDERS)
    producer = cluster.producer(acks="all")
    consumer = cluster.consumer(auto_offset_reset=policy)
    consumer.assign("orders-0")
    consumer.seek("orders-0", 0)
    sent(cluster, producer, *"abcde")
    for broker in (2, 3):
        cluster.kill(broker)
        silence_ms(cluster, broker)
    sent(cluster, producer, *"xyz")
    while consumer.position("orders-0") < 8:
        assert consumer.poll(1_000)
    cluster.kill(1)
    silence_ms(cluster, 1)
    cluster.restart(2)
    cluster.run_until(lambda: orders(cluster).leader == 2)
    assert (orders(cluster).isr, orders(cluster).leader_recovery_state) == ((2,), 1)
    if policy == "none":
        with pytest.raises(LogTruncationException, match="orders-0: 5"):
            consumer.poll(5_000)
    else:
        assert sent(cluster, cluster.producer(acks="all"), "new") == [5]
        assert [(one.offset, one.value) for one in consumer.poll(5_000)] == [(5, "new")]
