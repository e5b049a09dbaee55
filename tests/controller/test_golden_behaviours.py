"""The golden behaviours of the controller, by their names: B-G14 to B-G24, A-G19 and A-G20."""

from kafka_internals.controller.metadata_image import PartitionRegistration
from kafka_internals.messages.alter_partition import BrokerState
from kafka_internals.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafka_internals.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafka_internals.messages.metadata_records import (
    BrokerRegistrationChangeRecord,
    PartitionChangeRecord,
)
from tests.controller.quorum import Quorum

SESSION_MS = 9_000


def cluster(elr: bool = True, **configs: str) -> Quorum:
    """Brokers 1, 2 and 3, and orders with replicas [1, 2, 3]."""
    quorum = Quorum(elr=elr)
    quorum.start(1, 2, 3)
    quorum.create("orders", (1, 2, 3), **configs)
    return quorum


def silent(quorum: Quorum, *alive: int, ms: int = 2 * SESSION_MS) -> None:
    """Time passes; only these are heard of."""
    quorum.pass_ms(ms, lambda: [quorum.beat(broker) for broker in alive])


def shape(one: PartitionRegistration) -> tuple:
    return one.leader, one.isr, one.elr


def test_b_g14_a_broker_silent_for_nine_seconds_is_fenced():
    quorum = cluster()
    for broker in (1, 2, 3):
        quorum.beat(broker)
    silent(quorum, 2, 3, ms=8_900)
    assert quorum.partition("orders-0").leader == 1
    silent(quorum, 2, 3, ms=SESSION_MS // 8 + 101)           # the next pass of the fencing task
    assert quorum.controller.image.brokers[1].fenced
    assert shape(quorum.partition("orders-0")) == (2, (2, 3), ())
    epoch = quorum.epoch_of(1)
    late = quorum.beat(1, current_metadata_offset=0)         # the same process: the same epoch
    assert (late.error, late.is_fenced, late.is_caught_up) == ("NONE", True, False)
    assert not quorum.beat(1).is_fenced
    assert quorum.epoch_of(1) == epoch
    silent(quorum, 2, 3)
    assert quorum.register(1, "2").broker_epoch > epoch      # another process


def test_b_g15_a_second_process_has_to_wait_for_the_session_of_the_first():
    quorum = cluster()
    quorum.beat(1)
    old = quorum.epoch_of(1)
    assert quorum.register(1, "2").error == "DUPLICATE_BROKER_REGISTRATION"
    silent(quorum, 2, 3)
    assert quorum.register(1, "2").error == "NONE"
    assert quorum.beat(1, broker_epoch=old).error == "STALE_BROKER_EPOCH"
    assert quorum.beat(1).error == "NONE"


def test_b_g16_the_next_leader_is_the_next_in_the_replica_list():
    quorum = Quorum()
    quorum.start(1, 2, 3)
    quorum.create("orders", (3, 1, 2))
    quorum.alter("orders-0", (2, 3, 1))                      # the ISR has an order of its own
    before = quorum.partition("orders-0")
    silent(quorum, 1, 2)
    after = quorum.partition("orders-0")
    assert (after.leader, after.isr) == (1, (2, 1))
    assert (after.leader_epoch, after.partition_epoch) == (before.leader_epoch + 1,
                                                           before.partition_epoch + 1)


def test_b_g17_without_elr_the_last_member_stays_in_the_isr():
    quorum = cluster(elr=False)
    silent(quorum, 1)
    assert shape(quorum.partition("orders-0")) == (1, (1,), ())
    epoch = quorum.partition("orders-0").leader_epoch
    silent(quorum)
    assert shape(quorum.partition("orders-0")) == (-1, (1,), ())
    assert quorum.partition("orders-0").leader_epoch == epoch + 1
    quorum.beat(2)
    assert quorum.partition("orders-0").leader == -1         # not in sync: no clean election
    quorum.beat(1)
    assert shape(quorum.partition("orders-0")) == (1, (1,), ())
    assert quorum.partition("orders-0").leader_epoch == epoch + 2


def test_b_g18_a_proposal_is_refused_whole():
    quorum = cluster()
    silent(quorum, 1, 2)                                     # 3 is fenced
    before = quorum.partition("orders-0")
    stale = before.partition_epoch - 1
    assert quorum.alter("orders-0", (1, 2), partition_epoch=stale).error == \
        "INVALID_UPDATE_VERSION"
    assert quorum.alter("orders-0", (1,), partition_epoch=stale + 2).error == "NOT_CONTROLLER"
    assert quorum.alter("orders-0", (1,), leader_epoch=before.leader_epoch + 1).error == \
        "NOT_CONTROLLER"
    assert quorum.alter("orders-0", (1, 2, 3)).error == "INELIGIBLE_REPLICA"
    assert quorum.alter("orders-0", (1, 2), new_isr_with_epochs=(
        BrokerState(1), BrokerState(2, 5))).error == "INELIGIBLE_REPLICA"     # KIP-903
    assert quorum.partition("orders-0") == before


def test_b_g19_what_changes_nothing_writes_nothing():
    quorum = cluster()
    since, before = len(quorum.batches), quorum.partition("orders-0")
    answer = quorum.alter("orders-0", (1, 2, 3))
    assert (answer.error, answer.partition_epoch) == ("NONE", before.partition_epoch)
    assert quorum.since(since) == [] and quorum.partition("orders-0") == before


def test_b_g20_a_topic_that_is_created_again_is_another_one():
    quorum = cluster()
    old = quorum.topic_id("orders")
    quorum.ask(DeleteTopicsRequest((DeleteTopicState("orders"),)))
    assert quorum.partition("orders-0") is None
    quorum.create("orders", (1, 2, 3))
    assert quorum.topic_id("orders") != old
    assert quorum.alter("orders-0", (1, 2), topic_id=old).error == "UNKNOWN_TOPIC_ID"
    gone = quorum.ask(DeleteTopicsRequest((DeleteTopicState(None, old),)))
    assert gone.responses[0].error == "UNKNOWN_TOPIC_ID"


def test_b_g21_a_fenced_broker_gets_replicas_but_never_leads():
    quorum = Quorum()
    quorum.start(0, 1, 2)
    silent(quorum, 0, 2)
    made = quorum.ask(CreateTopicsRequest((CreatableTopic("t", 6, 3),
                                           CreatableTopic("u", 1, 4))))
    assert made.topics[1].error == "INVALID_REPLICATION_FACTOR"
    for one in quorum.controller.image.topics["t"].partitions:
        assert one.replicas[0] != 1 and one.leader == one.replicas[0]
        assert sorted(one.replicas) == [0, 1, 2] and sorted(one.isr) == [0, 2]


def test_b_g23_a_new_active_controller_gives_every_broker_a_new_session():
    quorum = cluster()
    silent(quorum, 2, 3, ms=8_000)                           # 1 is dead, and nearly fenced
    controller = quorum.fail_over(101)
    silent(quorum, 2, 3, ms=SESSION_MS)
    assert not controller.image.brokers[1].fenced            # 17 s after its last heartbeat
    silent(quorum, 2, 3, ms=SESSION_MS // 8 + 1)
    assert controller.image.brokers[1].fenced


def test_b_g24_the_sole_member_of_an_isr_may_stop():
    for elr, isr, kept in ((False, (1,), ()), (True, (), (1,))):
        quorum = Quorum(elr=elr)
        quorum.start(1, 2)
        quorum.create("orders", (1,))
        since = len(quorum.batches)
        asked = quorum.beat(1, want_shut_down=True)
        assert (asked.is_fenced, asked.should_shut_down) == (False, False)
        marked, change = quorum.since(since)[0]              # one batch, marked first
        assert type(marked) is BrokerRegistrationChangeRecord
        assert type(change) is PartitionChangeRecord and change.leader == -1
        assert shape(quorum.partition("orders-0")) == (-1, isr, kept)
        assert not quorum.beat(1, want_shut_down=True, current_metadata_offset=0
                               ).should_shut_down            # 2 has not heard of it yet
        quorum.beat(2)
        left = quorum.beat(1, want_shut_down=True)
        assert (left.is_fenced, left.should_shut_down) == (True, True)
        assert not quorum.beat(1).is_fenced                  # a change of mind is allowed


def test_a_g19_the_worked_example_of_elr():
    quorum = cluster(min_insync_replicas="2")
    silent(quorum, 1, 2)
    assert shape(quorum.partition("orders-0")) == (1, (1, 2), ())        # 3 is not in the ELR
    silent(quorum, 1)
    assert shape(quorum.partition("orders-0")) == (1, (1,), (2,))
    silent(quorum)
    assert shape(quorum.partition("orders-0")) == (-1, (), (1, 2))
    assert quorum.partition("orders-0").last_known_elr == (1,)
    quorum.beat(2)
    assert shape(quorum.partition("orders-0")) == (2, (2,), (1,))
    assert quorum.partition("orders-0").leader_recovery_state == 0       # a clean election
    quorum.beat(1)
    quorum.alter("orders-0", (2, 1))
    assert shape(quorum.partition("orders-0")) == (2, (2, 1), ())


def test_a_g20_a_replica_that_may_have_lost_something_is_not_eligible():
    quorum = cluster(min_insync_replicas="2")
    for alive in ((1, 2), (1,), ()):
        silent(quorum, *alive)
    assert shape(quorum.partition("orders-0")) == (-1, (), (1, 2))
    quorum.register(1, "2", previous=3)                      # not the epoch that it had
    assert shape(quorum.partition("orders-0")) == (-1, (), (2,))
    quorum.beat(1)
    assert quorum.partition("orders-0").leader == -1         # 2 may have more
    clean = quorum.epoch_of(2)
    quorum.register(2, "2", previous=clean)
    quorum.beat(2)
    assert shape(quorum.partition("orders-0")) == (2, (2,), ())


def test_a_partition_change_names_what_was_passed_over_and_why():
    quorum = cluster()
    silent(quorum, 1, 3)
    silent(quorum, 3)
    chosen = [one for one in quorum.changes
              if one.subject == "orders-0@controller-100" and one.attribute == "leader"][-1]
    assert (chosen.old, chosen.new) == (1, 3)
    assert "1 is not in the ISR, 2 is not in the ISR, 3 leads" in chosen.rule
    assert ("broker-1@controller-100", "contact_ms") in chosen.reads
    assert ("orders-0@controller-100", "isr") in chosen.reads
    assert ("broker-3@controller-100", "fenced") in chosen.reads
