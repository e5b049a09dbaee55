"""Contract 2 with a controller: nothing changes in silence, and chains cross to it and back."""

import re

import pytest

from kafka_internals import Cluster
from kafka_internals.cluster.invariants import NoSilentChange
from kafka_internals.errors import TimeoutException, TopicExistsException


def started(seed: int = 3):
    cluster = Cluster(seed=seed)
    run = cluster.machine
    run.world.after_event.append(NoSilentChange(run).after_event)
    cluster.create_topic("orders", configs={"min.insync.replicas": 2},
                         replica_assignment={0: [1, 2, 3]})
    return cluster


def paused(cluster):
    cluster.pause(1)
    cluster.run(ms=11_000)
    cluster.resume(1)


FAULTS = {"kill": lambda cluster: cluster.kill(1), "stop": lambda cluster: cluster.stop(1),
          "power": lambda cluster: cluster.power_loss(1),
          "disk": lambda cluster: cluster.lose_disk(1), "pause": paused,
          "cut": lambda cluster: cluster.partition({1}, {"controller-100"})}


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_changes_in_silence_while_leaders_move(fault):
    cluster = started()
    producer = cluster.producer(acks="all")
    producer.send("orders", "a").get()
    FAULTS[fault](cluster)
    producer.send("orders", "b")
    cluster.run(ms=12_000)
    assert cluster.look("orders-0@controller-100").leader == 2
    if not cluster.machine.brokers[1].up:
        cluster.restart(1)
    cluster.heal()
    cluster.run(ms=12_000)
    assert set(cluster.look("orders-0@controller-100").isr) == {1, 2, 3}
    cluster.alter_client_quotas("x", {"producer_byte_rate": 5})
    assert dict(cluster.look("broker-1").quotas) == {"x": (("producer_byte_rate", 5),)}
    cluster.alter_client_quotas("x", {"producer_byte_rate": None})
    assert cluster.look("broker-1").quotas == ()


def test_why_a_broker_leads_goes_back_to_the_silence_of_another():
    cluster = started()
    cluster.kill(1)
    cluster.run(ms=11_000)
    chain = cluster.why("orders-0@2", "role").chain
    said = [(one.subject, one.attribute) for one in chain]
    assert said[:2] == [("orders-0@2", "role"), ("__cluster_metadata-0@2", "high_watermark")]
    assert ("__cluster_metadata-0@100", "high_watermark") in said
    why = cluster.why("orders-0@controller-100", "leader")
    assert "a fenced broker leads nothing" in why.rule


def test_a_topic_that_nobody_hears_of_takes_a_minute_to_fail():
    cluster = started()
    cluster.partition({"admin"}, {"controller-100"})
    with pytest.raises(TimeoutException) as late:
        cluster.create_topic("more")
    assert re.fullmatch(                                 # default.api.timeout.ms
        r"Call\(callName=createTopics, deadlineMs=1767225660000, tries=2, nextAllowedTryMs="
        r"17672256602\d\d\) timed out at 1767225660000 after 2 attempt\(s\) \[request-admin.3 was "
        r"not answered: can the admin client reach the controller\?\]", str(late.value))
    assert cluster.now_ms == 60_000
    assert "more" not in cluster.machine.image.topics
    cluster.heal()
    cluster.create_topic("more")
    assert "more" in cluster.machine.image.topics


def test_an_answer_that_is_lost_is_asked_for_again():
    """The first request did what it should, so the second one finds that it is done."""
    cluster = started()
    cluster.drop("response-admin.2")
    with pytest.raises(TopicExistsException):
        cluster.create_topic("more")
    asked = [change[1] for change in cluster.trace.changes
             if change[2] == "asked" and change[1].startswith("request-admin")]
    assert asked == ["request-admin.1", "request-admin.2", "request-admin.3"]


def test_a_broker_that_starts_again_asks_for_a_block_when_a_producer_needs_a_number():
    cluster = Cluster(brokers=1, seed=3)
    cluster.create_topic("orders", replication_factor=1)
    cluster.producer().send("orders", "a").get()
    assert cluster.look("broker-1").next_producer_id == 1
    cluster.stop(1)
    cluster.restart(1)
    cluster.producer().send("orders", "b").get()
    told = [str(change[4]) for change in cluster.trace.changes
            if change[2] == "answer" and change[1].startswith("request-broker-1-producer-ids")]
    assert told == ["producer ids 1000 to 1999"]
    assert cluster.look("broker-1").next_producer_id == 1_001


def test_why_a_leader_changed_leads_through_the_record_and_the_fence_to_the_last_heartbeat():
    cluster = started()
    cluster.run(ms=3_000)
    cluster.kill(1)
    cluster.run(ms=11_000)
    decided, silent = ("orders-0@controller-100", "isr"), ("broker-1@controller-100", "contact_ms")
    chain = cluster.why("orders-0@controller-100", "leader").chain
    assert [(one.subject, one.attribute) for one in chain[:3]] == [
        ("orders-0@controller-100", "leader"), decided, silent]
    assert chain[3].subject.startswith("request-broker-1-lifecycle.")
    assert chain[3].attribute == "asked"
    for subject, attribute in (("orders-0@2", "leader"), ("broker-3", "leaders.orders-0"),
                               ("broker-3", "brokers.1")):
        said = [(one.subject, one.attribute) for one in cluster.why(subject, attribute).chain]
        log = said.index(("__cluster_metadata-0@100", "log_end_offset"))
        assert said[log + 1] == ("controller-100", "next_write_offset")
        assert said.index(silent) > log + 1


def test_why_a_broker_has_its_numbers_leads_to_the_controller():
    cluster = started()
    cluster.stop(1)
    cluster.restart(1)
    cluster.run_until(lambda: cluster.look("broker-1-lifecycle").state == "RUNNING", 15_000)
    cluster.stop(2)                                      # so that somebody asks broker 1 or 3
    cluster.stop(3)
    producer = cluster.producer()
    producer.send("orders", "b")
    cluster.run_until(lambda: cluster.look("broker-1").next_producer_id is not None)
    chain = [(one.subject, one.attribute)
             for one in cluster.why("broker-1", "producer_id_blocks").chain]
    assert chain[0] == ("broker-1", "producer_id_blocks")
    assert chain[1] == ("request-broker-1-producer-ids.2", "answer")
    assert ("__cluster_metadata-0@100", "high_watermark") in chain
    number = cluster.trace.latest("broker-1", "next_producer_id", cluster.event)
    assert ("broker-1", "producer_id_blocks") in cluster.trace.change(number).reads


def test_a_broker_that_stops_does_so_because_the_controller_lets_it_go():
    cluster = started()
    cluster.stop(1)
    chain = cluster.why("broker-1", "state").chain
    assert [(one.subject, one.attribute) for one in chain[:2]] == [
        ("broker-1", "state"), ("broker-1-lifecycle", "state")]
    assert chain[2].attribute == "answer" and "shut down" in str(chain[2].new)
