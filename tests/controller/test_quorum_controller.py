"""Commit before answer, standbys, fail-over, and what the active controller does by the clock."""

from kafka_internals.common import TopicPartition
from kafka_internals.controller.feature_control_manager import BOOTSTRAP_FEATURES
from kafka_internals.messages import metadata_records as m
from kafka_internals.messages.broker_heartbeat import BrokerHeartbeatRequest
from kafka_internals.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafka_internals.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from tests.controller.quorum import Leader, Quorum
from tests.golden.cases import json_lines

TOPIC = CreateTopicsRequest((CreatableTopic("t", 1, 1),))


def test_an_empty_log_begins_with_what_a_real_cluster_began_with():
    first = next(one for one in json_lines("cluster/meta-dynamic-3c3b/log.jsonl")
                 if not one["control"])
    theirs = [(one["type"], one["data"].get("name"), one["data"].get("featureLevel",
                                                                     one["data"].get("value")))
              for one in first["records"]]
    kinds = {m.BeginTransactionRecord: "BEGIN_TRANSACTION_RECORD",
             m.EndTransactionRecord: "END_TRANSACTION_RECORD",
             m.FeatureLevelRecord: "FEATURE_LEVEL_RECORD", m.ConfigRecord: "CONFIG_RECORD"}
    ours = [(kinds[type(one)], getattr(one, "name", None),
             getattr(one, "feature_level", getattr(one, "value", None)))
            for one in Quorum().batches[0].records]
    assert ours == theirs
    assert dict(Quorum().controller.image.features) == BOOTSTRAP_FEATURES
    assert "min.insync.replicas" not in str(Quorum(elr=False).batches[0])


def test_nobody_is_answered_before_the_records_are_committed():
    quorum = Quorum(commits=False)
    assert quorum.register(1) is None and 1 in quorum.controller.image.brokers
    assert quorum.beat(1) is None                            # decided on top of that
    assert not quorum.controller.image.brokers[1].fenced
    assert quorum.beat(1) is None                            # waits all the same
    quorum.commit()
    assert [type(one).__name__ for one in quorum.replies.values()] == [
        "BrokerRegistrationResponse"] + ["BrokerHeartbeatResponse"] * 2
    assert quorum.ask(BrokerHeartbeatRequest(1, quorum.epoch_of(1), 99)).error == "NONE"


def test_a_standby_has_the_same_image_and_answers_nobody():
    quorum = Quorum()
    quorum.start(1, 2, 3)
    quorum.create("t", (1, 2, 3), min_insync_replicas="2")
    quorum.alter("t-0", (1,))
    standby = quorum.standby(101)
    assert standby.image == quorum.controller.image and not standby.is_active
    assert standby.periodic.deadline_ms is None and standby.tick(10**9) == []
    assert standby.snapshot().claim_epoch == -1
    assert standby.broker_snapshot(1).state is None          # sessions are not its business
    quorum.controller = standby
    assert quorum.ask(TOPIC).topics[0].error == "NOT_CONTROLLER"
    assert quorum.beat(1).error == "NOT_CONTROLLER"


def test_what_was_not_committed_is_gone_with_its_controller():
    quorum = Quorum()
    quorum.start(1)
    kept, quorum.commits = quorum.controller.image, False
    assert quorum.ask(TOPIC) is None and "t" in quorum.controller.image.topics
    old = quorum.controller
    quorum.fail_over(101)
    assert old.image == kept == quorum.controller.image and not old.is_active
    assert [one.topics[0].error for one in quorum.replies.values()] == ["NOT_CONTROLLER"]
    told = [one for one in quorum.changes if one.attribute == "topics.t"]
    assert [(one.old is None, one.new is None) for one in told] == [(True, False), (False, True)]


def test_a_leader_that_stays_is_no_news():
    quorum = Quorum()
    quorum.start(1)
    quorum.take(quorum.controller.handle_leader_change(Leader(7, 2), (), 0))
    assert not quorum.controller.is_active
    quorum.take(quorum.controller.handle_leader_change(Leader(8, 3), (), 0))
    assert not quorum.controller.is_active


def test_a_controller_with_nothing_to_say_says_nothing_twice_a_second():
    quorum = Quorum({"metadata.max.idle.interval.ms": 500})
    since = len(quorum.batches)
    quorum.pass_ms(2_000)
    assert [batch.records for batch in quorum.batches[since:]] == [(m.NoOpRecord(),)] * 4


def test_silent_brokers_are_fenced_one_a_pass_ten_milliseconds_apart():
    quorum = Quorum()
    quorum.start(1, 2, 3)
    quorum.create("t", (1, 2, 3))
    times = {}
    while len(times) < 3:
        quorum.pass_ms(1)
        for broker, one in quorum.controller.image.brokers.items():
            if one.fenced:
                times.setdefault(broker, quorum.now_ms)
    assert times == {1: 9_000 + 1_125, 2: 10_135, 3: 10_145}


def test_leadership_goes_back_to_the_preferred_replicas_every_five_minutes():
    quorum = Quorum({"auto.leader.rebalance.enable": True})
    quorum.start(1, 2)
    quorum.create("t", (1, 2))
    quorum.beat(1, want_fence=True)
    quorum.beat(1)
    quorum.alter("t-0", (2, 1))

    def beating() -> None:
        for broker in (1, 2):
            quorum.beat(broker)

    quorum.pass_ms(299_000, beating)
    assert quorum.partition("t-0").leader == 2
    quorum.pass_ms(1_000, beating)
    assert quorum.partition("t-0").leader == 1
    rule = [one.rule for one in quorum.changes if one.attribute == "leader"][-1]
    assert rule.startswith("auto.leader.rebalance.enable") and "PREFERRED" in rule


def test_what_has_no_leader_waits_for_the_clock_after_unclean_elections_are_allowed():
    quorum = Quorum(elr=False)
    quorum.start(1, 2)
    quorum.create("t", (1, 2))
    quorum.beat(2, want_fence=True)
    quorum.beat(1, want_fence=True)
    quorum.beat(2)
    quorum.pass_ms(11_000, lambda: quorum.beat(2))           # the session of 1 is over, too
    assert quorum.partition("t-0").leader == -1
    quorum.ask(IncrementalAlterConfigsRequest((AlterConfigsResource(2, "t", (AlterableConfig(
        "unclean.leader.election.enable", "true"),)),)))
    quorum.pass_ms(288_000, lambda: quorum.beat(2))
    assert quorum.partition("t-0").leader == -1              # setting it elects nobody by itself
    quorum.pass_ms(1_000, lambda: quorum.beat(2))
    one = quorum.partition("t-0")
    assert (one.leader, one.isr, one.leader_recovery_state) == (2, (2,), m.RECOVERING)


def test_a_leader_that_may_lack_records_has_to_say_that_it_has_recovered():
    quorum = Quorum(elr=False)
    quorum.start(1, 2)
    quorum.create("t", (1, 2), unclean_leader_election_enable="true")
    quorum.beat(2, want_fence=True)
    quorum.beat(1, want_fence=True)
    quorum.beat(2)
    quorum.beat(1)
    assert quorum.partition("t-0").leader_recovery_state == m.RECOVERING
    assert quorum.alter("t-0", (2, 1), leader_recovery_state=m.RECOVERING).error == \
        "INVALID_REQUEST"
    assert quorum.alter("t-0", (2, 1)).leader_recovery_state == m.RECOVERED
    assert quorum.alter("t-0", (2,), leader_recovery_state=m.RECOVERING).error == \
        "INVALID_REQUEST"


def test_waits_say_what_everybody_waits_for():
    quorum = Quorum()
    quorum.register(1)
    quorum.start(2)
    at, subject = quorum.controller, "broker-{}@controller-100".format
    (fenced,) = at.broker_snapshot(1).waits
    assert (fenced.attribute, fenced.of, fenced.needs) == ("fenced", "metadata_offset",
                                                           at.cluster.registered_at[1])
    (silent,) = at.broker_snapshot(2).waits
    assert (silent.attribute, silent.or_at_ms) == ("fenced", 9_001)
    quorum.beat(1)
    quorum.create("t", (1,))
    quorum.beat(1, want_shut_down=True)
    (going,) = at.broker_snapshot(1).waits
    assert (going.attribute, going.subject, going.of) == ("state", subject(2), "metadata_offset")
    (leader,) = at.partition_snapshot(TopicPartition("t", 0)).waits
    assert (leader.attribute, leader.subject, leader.needs) == ("leader", subject(1), False)
    assert at.broker_snapshot(9) is None and at.partition_snapshot(TopicPartition("u", 0)) is None


def test_offsets_of_registrations_are_those_of_the_records_not_of_their_batches():
    quorum = Quorum()
    quorum.start(1, 2)
    quorum.create("t", (1, 2), min_insync_replicas="2")
    quorum.alter("t-0", (1,))
    quorum.fail_over(101)                                    # nobody has been heard of yet
    quorum.pass_ms(11_000)
    epoch = quorum.register(2, "2").broker_epoch             # unclean: out of the ELR first
    assert quorum.controller.cluster.registered_at[2] == epoch + 1
    assert not quorum.beat(2, current_metadata_offset=epoch).is_caught_up
    assert quorum.beat(2, current_metadata_offset=epoch + 1).is_caught_up
