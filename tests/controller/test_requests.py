"""What tools ask of a controller: the recorded refusals, and what each request writes."""

import re

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.messages import metadata_records as m
from kafka_internals.messages.allocate_producer_ids import AllocateProducerIdsRequest
from kafka_internals.messages.alter_client_quotas import (
    AlterClientQuotasEntry,
    AlterClientQuotasRequest,
)
from kafka_internals.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from kafka_internals.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafka_internals.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafka_internals.messages.elect_leaders import ElectLeadersRequest
from kafka_internals.messages.incremental_alter_configs import (
    APPEND,
    DELETE,
    SET,
    SUBTRACT,
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kafka_internals.messages.unregister_broker import UnregisterBrokerRequest
from tests.controller.quorum import Quorum, features
from tests.golden.cases import json_lines

OWN_WORDS = ("Unknown topic config name: nosuch",)       # ours says which name was meant
DEFAULT_WORDS = "This server does not host this topic-partition."


def cluster(*brokers: int, **given) -> Quorum:
    quorum = Quorum(**given)
    quorum.start(*(brokers or (1, 2, 3)))
    return quorum


def topic(quorum: Quorum, asked: CreatableTopic, **given):
    return quorum.ask(CreateTopicsRequest((asked,), **given)).topics[0]


def configs(quorum: Quorum, kind: int, name: str, *changes: AlterableConfig):
    return quorum.ask(IncrementalAlterConfigsRequest((
        AlterConfigsResource(kind, name, changes),))).responses[0]


def recorded(quorum: Quorum, step: list):
    """A recorded step as a request; its only result."""
    what, of = step
    name = of.get("name")
    if what == "createTopic":
        return topic(quorum, CreatableTopic(
            name, of.get("partitions", -1), of.get("rf", -1),
            tuple((int(number), tuple(brokers))
                  for number, brokers in of.get("assignments", {}).items()),
            tuple(of.get("configs", {}).items())), validate_only=of.get("validateOnly", False))
    if what == "createPartitions":
        given = of.get("assignments")
        return quorum.ask(CreatePartitionsRequest((CreatePartitionsTopic(
            name, of["count"], given and tuple(map(tuple, given))),))).results[0]
    if what == "deleteTopic":
        return quorum.ask(DeleteTopicsRequest((DeleteTopicState(name),))).responses[0]
    if what == "config":
        return configs(quorum, {"TOPIC": 2, "BROKER": 4}[of["type"]], name, *(
            AlterableConfig(key, value, SET if value is not None else DELETE)
            for key, value in of["set"].items()))
    if what == "quota":
        entity = tuple(m.EntityData(*one) for one in of["entity"].items())
        return quorum.ask(AlterClientQuotasRequest((AlterClientQuotasEntry(
            entity, tuple(of["set"].items())),))).entries[0]
    return quorum.ask(AllocateProducerIdsRequest(2, quorum.epoch_of(2)))


LATER = ("cleanup.policy",)                      # what this engine's topics cannot have yet


def test_every_recorded_request_is_answered_as_it_was():
    quorum, refused = cluster(), 0
    for one in json_lines("cluster/meta-dynamic-3c3b/answers.jsonl"):
        what, of = one["step"]
        for name in LATER:
            of.get("set", {}).pop(name, None)
        found = recorded(quorum, one["step"])
        assert found.error == one["answer"]["error"], one
        words = one["answer"].get("message")
        if words and words not in OWN_WORDS and words != DEFAULT_WORDS:
            assert found.error_message == words
        refused += found.error != "NONE"
    assert refused == 13


def test_a_topic_is_one_batch_and_a_dry_run_is_none():
    quorum = cluster()
    since = len(quorum.batches)
    assert topic(quorum, CreatableTopic("t", 2, 2, configs=(("retention.ms", "5"),)),
                 validate_only=True).error == "NONE"
    assert quorum.since(since) == []
    made = topic(quorum, CreatableTopic("t", 2, 3, configs=(("retention.ms", "5"),)))
    (batch,) = quorum.since(since)
    assert [type(one).__name__ for one in batch] == ["TopicRecord", "ConfigRecord",
                                                     "PartitionRecord", "PartitionRecord"]
    assert {one.topic_id for one in batch if hasattr(one, "topic_id")} == {made.topic_id}
    assert len(made.topic_id) == 22 and (made.num_partitions, made.replication_factor) == (2, 3)


@pytest.mark.parametrize("asked, error, says", [
    (CreatableTopic("", 1, 1), "INVALID_TOPIC_EXCEPTION", "the empty string is not allowed"),
    (CreatableTopic("..", 1, 1), "INVALID_TOPIC_EXCEPTION", "'..' is not allowed"),
    (CreatableTopic("x" * 250, 1, 1), "INVALID_TOPIC_EXCEPTION", "max allowed length 249"),
    (CreatableTopic("a_b", 1, 1), "INVALID_TOPIC_EXCEPTION", "collides with existing topic: a.b"),
    (CreatableTopic("t", -2, 1), "INVALID_PARTITIONS", "non-positive"),
    (CreatableTopic("t", 1, 0), "INVALID_REPLICATION_FACTOR", "larger than 0"),
    (CreatableTopic("t", 1, -1, ((0, (1,)),)), "INVALID_REQUEST", "numPartitions was not set"),
    (CreatableTopic("t", -1, 1, ((0, (1,)),)), "INVALID_REQUEST", "replication factor was not"),
    (CreatableTopic("t", assignments=((0, ()),)), "INVALID_REPLICA_ASSIGNMENT", "empty replica"),
    (CreatableTopic("t", assignments=((0, (1,)), (0, (2,)))), "INVALID_REPLICA_ASSIGNMENT",
     "multiple manual partition assignments for partition 0"),
    (CreatableTopic("t", assignments=((0, (3,)),)), "INVALID_REPLICA_ASSIGNMENT",
     "All brokers specified .* for partition 0 are fenced"),
    (CreatableTopic("t", 1, 1, configs=(("retention.ms", None),)), "INVALID_CONFIG",
     "Null value not supported for topic configs: retention.ms"),
    (CreatableTopic("t", 20_000, 1), "POLICY_VIOLATION", "Excessively large")])
def test_what_no_topic_may_be(asked, error, says):
    quorum = cluster(1, 2)
    quorum.register(3)                                       # and is never unfenced
    quorum.create("a.b", (1,))
    since, found = len(quorum.batches), topic(quorum, asked)
    assert found.error == error and quorum.since(since) == []
    assert re.search(says, found.error_message)


def test_a_topic_named_twice_in_one_request_is_refused_both_times():
    quorum = cluster()
    asked = CreatableTopic("t", 1, 1)
    found = quorum.ask(CreateTopicsRequest((asked, CreatableTopic("u", 1, 1), asked))).topics
    assert [one.error for one in found] == ["INVALID_REQUEST", "NONE", "INVALID_REQUEST"]
    twice = quorum.ask(DeleteTopicsRequest((DeleteTopicState("u"), DeleteTopicState("u"))))
    assert [one.error for one in twice.responses] == ["INVALID_REQUEST"] * 2
    assert "u" in quorum.controller.image.topics


def test_deletion_takes_configs_with_it():
    quorum = cluster()
    quorum.create("t", (1, 2), min_insync_replicas="2")
    found = quorum.ask(DeleteTopicsRequest((
        DeleteTopicState(None, quorum.topic_id("t")), DeleteTopicState(None),
        DeleteTopicState("t", quorum.topic_id("t")))))
    assert [one.error for one in found.responses] == ["NONE", "INVALID_REQUEST", "INVALID_REQUEST"]
    assert quorum.controller.image.topic_config("t") == {}


def test_more_partitions_by_hand_and_in_stripes():
    quorum = cluster()
    quorum.create("t", (1, 2))
    by_hand = CreatePartitionsTopic("t", 2, ((3, 1),))
    assert quorum.ask(CreatePartitionsRequest((by_hand,))).results[0].error == "NONE"
    assert quorum.partition("t-1").replicas == (3, 1)
    assert quorum.ask(CreatePartitionsRequest((CreatePartitionsTopic("t", 4),))
                      ).results[0].error == "NONE"
    assert all(len(one.replicas) == 2 for one in quorum.controller.image.topics["t"].partitions)
    wrong = CreatePartitionsTopic("t", 6, ((1, 2),))
    found = quorum.ask(CreatePartitionsRequest((wrong, CreatePartitionsTopic("u", 1)))).results
    assert (found[0].error, found[1].error) == ("INVALID_REPLICA_ASSIGNMENT",
                                                "UNKNOWN_TOPIC_OR_PARTITION")
    assert found[0].error_message == ("Attempted to add 2 additional partition(s), but only 1 "
                                      "assignment(s) were specified.")


def test_min_isr_forgets_elr_and_bumps_partition_epochs():
    quorum = cluster()
    quorum.create("t", (1, 2), min_insync_replicas="2")
    quorum.alter("t-0", (1,))
    before = quorum.partition("t-0")
    assert before.elr == (2,)
    since = len(quorum.batches)
    found = configs(quorum, m.TOPIC_RESOURCE, "t", AlterableConfig("min.insync.replicas", "1"))
    assert found.error == "NONE"
    assert quorum.since(since) == [(m.ConfigRecord(2, "t", "min.insync.replicas", "1"),
                                    m.ClearElrRecord("t"))]
    after = quorum.partition("t-0")
    assert (after.elr, after.partition_epoch) == ((), before.partition_epoch + 1)
    assert after.leader_epoch == before.leader_epoch


def test_the_clusters_min_isr_is_for_every_topic_that_has_none():
    quorum = cluster()
    quorum.create("own", (1, 2, 3), min_insync_replicas="1")
    quorum.create("other", (1, 2, 3))
    since = len(quorum.batches)
    assert configs(quorum, m.BROKER_RESOURCE, "", AlterableConfig("min.insync.replicas", "3")
                   ).error == "NONE"
    assert quorum.since(since)[0][1] == m.ClearElrRecord("")
    quorum.alter("own-0", (1, 2))
    quorum.alter("other-0", (1, 2))
    assert quorum.partition("own-0").elr == () and quorum.partition("other-0").elr == (3,)
    image = quorum.controller.image
    assert image.topics["own"].configs["min.insync.replicas"] == 1
    assert image.topics["other"].configs["min.insync.replicas"] == 3
    assert image.topics["other"].configs.given == ()


@pytest.mark.parametrize("kind, name, change, error, says", [
    (4, "1", AlterableConfig("min.insync.replicas", "2"), "INVALID_CONFIG",
     "Broker-level min.insync.replicas cannot be altered while ELR is enabled."),
    (4, "", AlterableConfig("min.insync.replicas", None, DELETE), "INVALID_CONFIG",
     "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."),
    (4, "x", AlterableConfig("a", "1"), "INVALID_REQUEST", "Unable to parse broker name"),
    (4, "9", AlterableConfig("a", "1"), "BROKER_ID_NOT_REGISTERED", "No node with id 9 found."),
    (2, "nosuch", AlterableConfig("retention.ms", "1"), "UNKNOWN_TOPIC_OR_PARTITION",
     "The topic 'nosuch' does not exist."),
    (2, "", AlterableConfig("retention.ms", "1"), "INVALID_REQUEST", "Default topic resources"),
    (2, "t", AlterableConfig("retention.ms", "1", APPEND), "INVALID_CONFIG",
     "Can't APPEND to key retention.ms because its type is not LIST."),
    (2, "t", AlterableConfig("retention.ms", "soon"), "INVALID_CONFIG", "Not a number"),
    (2, "t", AlterableConfig("retention.ms", "1" * 40_000), "INVALID_CONFIG", "maximum value"),
    (8, "t", AlterableConfig("retention.ms", "1"), "INVALID_REQUEST", "Unknown resource type 8")])
def test_configs_that_are_refused(kind, name, change, error, says):
    quorum = cluster()
    quorum.create("t", (1,))
    since, found = len(quorum.batches), configs(quorum, kind, name, change)
    assert (found.error, quorum.since(since)) == (error, []) and says in found.error_message


def test_lists_grow_and_shrink():
    quorum = cluster()
    quorum.create("t", (1,))
    assert configs(quorum, 2, "t", AlterableConfig("cleanup.policy", "delete", APPEND)
                   ).error == "NONE"
    assert quorum.controller.image.topic_config("t") == {"cleanup.policy": "delete"}
    since = len(quorum.batches)
    configs(quorum, 2, "t", AlterableConfig("cleanup.policy", "delete", APPEND))
    assert quorum.since(since) == []                         # nothing differs
    assert configs(quorum, 2, "t", AlterableConfig("cleanup.policy", "x", SUBTRACT)
                   ).error == "NONE"


@pytest.mark.parametrize("entity, ops, says", [
    ((), (), "Invalid empty client quota entity"),
    ((("team", "a"),), (), "Unhandled client quota entity type: team"),
    ((("user", ""),), (), "Empty user not supported"),
    ((("user", "a"), ("user", "b")), (), "duplicate entity entry user"),
    ((("ip", "1.2.3.4"), ("user", "b")), (), "IP entity should"),
    ((("ip", "here"),), (), "here is not a valid IP"),
    ((("user", "a"),), (("speed", 1.0),), "Invalid configuration key speed"),
    ((("user", "a"),), (("producer_byte_rate", 0.0),), "must be greater than 0"),
    ((("user", "a"),), (("producer_byte_rate", 1.5),), "cannot be a fractional value"),
    ((("user", "a"),), (("producer_byte_rate", float("nan")),), "must be a finite number"),
    ((("user", "a"),), (("producer_byte_rate", 1e30),), "too large for a LONG"),
    ((("ip", None),), (("connection_creation_rate", 1e10),), "too large for an INT"),
    ((("user", "a"),), (("producer_byte_rate", 1.0),) * 2, "Duplicate quota key")])
def test_quotas_that_are_refused(entity, ops, says):
    quorum = cluster()
    entity = tuple(m.EntityData(*one) for one in entity)
    found = quorum.ask(AlterClientQuotasRequest((AlterClientQuotasEntry(entity, ops),)))
    assert found.entries[0].error == "INVALID_REQUEST" and says in found.entries[0].error_message


def test_quotas_of_one_client_come_and_go():
    quorum, client = cluster(), (m.EntityData("client-id", "shop"),)
    for value, seen in ((5_000, {"shop": {"producer_byte_rate": 5_000.0}}), (None, {})):
        quorum.ask(AlterClientQuotasRequest((AlterClientQuotasEntry(
            client, (("producer_byte_rate", value),)),)))
        assert quorum.controller.image.quotas == seen


def test_no_producer_id_is_given_twice_not_even_after_a_failover():
    quorum = cluster()
    first = quorum.ask(AllocateProducerIdsRequest(1, quorum.epoch_of(1))).block
    second = quorum.ask(AllocateProducerIdsRequest(2, quorum.epoch_of(2))).block
    quorum.fail_over(101)
    third = quorum.ask(AllocateProducerIdsRequest(1, quorum.epoch_of(1))).block
    assert [one.first for one in (first, second, third)] == [0, 1_000, 2_000]


def test_elections_that_are_not_possible():
    quorum = cluster()
    quorum.create("t", (1, 2))
    for kind, name, error in ((0, "t-0", "ELECTION_NOT_NEEDED"), (1, "t-0", "ELECTION_NOT_NEEDED"),
                              (0, "t-5", "UNKNOWN_TOPIC_OR_PARTITION"),
                              (0, "u-0", "UNKNOWN_TOPIC_OR_PARTITION")):
        asked = ElectLeadersRequest(kind, (TopicPartition.of(name),))
        assert quorum.ask(asked).results[0].error == error
    quorum.beat(1, want_fence=True)
    asked = quorum.ask(ElectLeadersRequest(0, (TopicPartition("t", 0),)))
    assert asked.results[0].error == "PREFERRED_LEADER_NOT_AVAILABLE"
    quorum.beat(2, want_fence=True)
    asked = quorum.ask(ElectLeadersRequest(1, (TopicPartition("t", 0),)))
    assert asked.results[0].error == "ELIGIBLE_LEADERS_NOT_AVAILABLE"
    assert quorum.ask(ElectLeadersRequest(7, None)).error == "INVALID_REQUEST"


@pytest.mark.parametrize("given, error", [
    ({"cluster_id": "another"}, "INCONSISTENT_CLUSTER_ID"),
    ({"log_dirs": ()}, "INVALID_REGISTRATION"),
    ({"log_dirs": ("d", "d")}, "INVALID_REGISTRATION"),
    ({"log_dirs": ("A" * 22,)}, "INVALID_REGISTRATION"),
    ({"log_dirs": ("dir-of-1",)}, "INVALID_REGISTRATION"),
    ({"features": ()}, "INVALID_REGISTRATION"),
    ({"features": features(("metadata.version", 7, 32))}, "UNSUPPORTED_VERSION"),
    ({"features": features(("metadata.version", 7, 33))}, "UNSUPPORTED_VERSION")])
def test_registrations_that_are_refused(given, error):
    quorum = cluster(1)
    since = len(quorum.batches)
    assert quorum.register(2, **given).error == error and quorum.since(since) == []


def test_the_same_process_registers_again_and_keeps_epoch_and_state():
    quorum = cluster()
    epoch, since = quorum.epoch_of(1), len(quorum.batches)
    assert quorum.register(1, rack="r1").broker_epoch == epoch
    ((record,),) = quorum.since(since)
    assert (record.rack, record.fenced, record.broker_epoch) == ("r1", False, epoch)


def test_unregistering_takes_a_broker_out_of_every_isr():
    quorum = cluster()
    quorum.create("t", (1, 2))
    assert quorum.ask(UnregisterBrokerRequest(1)).error == "NONE"
    assert quorum.partition("t-0").isr == (2,) and 1 not in quorum.controller.image.brokers
    gone = quorum.ask(UnregisterBrokerRequest(1))
    assert (gone.error, gone.error_message) == ("BROKER_ID_NOT_REGISTERED",
                                                "Broker ID 1 is not currently registered")
