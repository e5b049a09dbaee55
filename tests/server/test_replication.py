"""Replication by its golden behaviours: three brokers, a controller driven by hand (A-G..)."""

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.config import TOPIC_CONFIG
from kafka_internals.controller.metadata_image import MetadataImage, PartitionRegistration
from kafka_internals.messages.fetch import FetchPartition, FetchRequest
from kafka_internals.messages.list_offsets import (
    LATEST_TIMESTAMP,
    ListOffsetsPartition,
    ListOffsetsRequest,
)
from kafka_internals.messages.produce import PartitionProduceData, ProduceRequest
from kafka_internals.record_batch import batches
from kafka_internals.server.kraft_metadata_cache import KRaftMetadataCache
from kafka_internals.server.partition import Partition
from kafka_internals.server.replica_selector import RACK_AWARE
from kafka_internals.server.rules import Rules
from kafka_internals.sim.disk import Disk
from kafka_internals.sim.invariants import InvariantViolated
from kafka_internals.storage.unified_log import UnifiedLog
from tests.server.controlled import CONTROLLER, ORDERS, Controlled, batch
from tests.server.hand_controller import BrokerRegistration


def produce(world: Controlled, broker: int = 1, count: int = 1, acks: int = 1,
            timeout_ms: int = 500):
    """The answers so far, None for what has to wait."""
    return [world.ask(broker, ProduceRequest(acks, timeout_ms, (
        PartitionProduceData(ORDERS, batch(b"%d" % n)),))) for n in range(count)]


def fetch(world: Controlled, broker: int, offset: int, replica: int = -1, epoch: int = 0,
          rack: str = "", last_epoch: int = -1):
    """What one partition gives, at once."""
    asked = FetchPartition(ORDERS, offset, epoch, 10_000, 0, last_epoch)
    return world.ask(broker, FetchRequest(replica, 0, 1, 10_000, (asked,),
                                          rack_id=rack)).partitions[0]


def latest(world: Controlled, broker: int, epoch: int):
    return world.ask(broker, ListOffsetsRequest((
        ListOffsetsPartition(ORDERS, epoch, LATEST_TIMESTAMP),))).partitions[0]


def follower_stops(world: Controlled, broker: int) -> None:
    """It hears nothing from the leader any more; the controller still hears of it."""
    world.cut |= {(1, broker), (broker, 1)}


def mark(world: Controlled, broker: int = 1) -> int:
    return world.look(f"orders-0@{broker}").high_watermark


def waits_for(world: Controlled, broker: int = 1) -> set:
    return {wait.of for wait in world.look(f"orders-0@{broker}").waits}


def hold_controller(world: Controlled) -> None:
    """What is sent to the controller arrives a second later."""
    world.slow = lambda sender, receiver: 1_000 if receiver == CONTROLLER else 1


def lagging(min_isr: int = 1) -> Controlled:
    """Broker 3 was cut off, the leader wants it out of the ISR, and the controller is far away."""
    world = Controlled(min_isr=min_isr)
    produce(world, count=2)
    world.run(100)
    follower_stops(world, 3)
    hold_controller(world)
    produce(world, count=3)
    world.run(700)
    return world


def test_a_g02_a_shrink_that_is_under_way_does_not_move_the_mark():
    world = lagging()
    one = world.look("orders-0@1")
    assert (one.isr_state, one.isr, one.maximal_isr) == ("PENDING SHRINK", (1, 2, 3), (1, 2, 3))
    assert (one.high_watermark, waits_for(world)) == (2, {"remote_log_end_offset.3"})
    world.run(1_500)
    one = world.look("orders-0@1")
    assert (one.isr_state, one.isr, one.high_watermark) == ("COMMITTED", (1, 2), 5)


def joining() -> Controlled:
    """Broker 3 has caught up, the leader wants it in, and the controller is far away."""
    world = Controlled(isr=(1, 2), min_isr=1)
    produce(world, count=1)
    hold_controller(world)
    world.run(50)
    assert world.look("orders-0@1").isr_state == "PENDING EXPAND"
    return world


def test_a_g03_a_replica_that_is_about_to_join_counts_already():
    world = joining()
    assert world.look("orders-0@1").maximal_isr == (1, 2, 3) and mark(world) == 1
    follower_stops(world, 3)
    produce(world)
    world.run(600)                                # 3 is not caught up any more, and still counts
    assert (mark(world), waits_for(world)) == (1, {"remote_log_end_offset.3"})
    world.heal()
    while mark(world) == 1:
        world.run(1)
    assert (mark(world), world.look("orders-0@1").isr_state) == (2, "PENDING EXPAND")


def test_a_g04_a_replica_that_was_refused_does_not_count_any_more():
    world = joining()
    follower_stops(world, 3)
    world.controller.fence(3)
    produce(world)
    world.run(300)
    assert mark(world) == 1
    world.run(1_500)
    assert world.refusals() == ["INELIGIBLE_REPLICA"]
    one = world.look("orders-0@1")
    assert (one.isr_state, one.isr, one.high_watermark) == ("COMMITTED", (1, 2), 1)
    produce(world)                                # the next that asks for the mark
    world.run(60)
    assert mark(world) == 3


@pytest.mark.parametrize("lag_ms, fenced, expected", [(1_000, False, 7), (1_000, True, 9),
                                                      (40_000, False, 9)])
def test_a_g05_the_mark_waits_for_a_replica_that_is_about_to_join(lag_ms, fenced, expected):
    brokers = {2: BrokerRegistration(2, 5, fenced=fenced)}
    one = Partition(ORDERS, 1, PartitionRegistration((1, 2), (1,), 1, 0), TOPIC_CONFIG.parse({}),
                    UnifiedLog(ORDERS, Disk(lambda n: 0)),
                    metadata=KRaftMetadataCache(MetadataImage(brokers, {})))
    one.begin(0, ())
    one.append_records_to_leader(batch(records=7), 1, (), 0)
    one.update_follower_fetch_state(2, 7, (), 0, broker_epoch=5)
    one.append_records_to_leader(batch(records=2), 1, (), lag_ms)
    assert one.high_watermark == expected
    assert [wait.of for wait in one.waits()] == [
        "log_end_offset" if expected == 9 else "remote_log_end_offset.2"]


def test_a_g06_below_min_isr_an_acknowledged_record_is_seen_once_a_replica_is_back():
    world = Controlled(isr=(1,))
    world.cut = {(1, CONTROLLER)}
    ((result,),) = (answer.partitions for answer in produce(world))
    world.run(100)
    assert (result.error, mark(world), fetch(world, 1, 0).records) == ("NONE", 0, b"")
    world.heal()
    world.run(800)
    assert mark(world) == 1 and fetch(world, 1, 0).records


def test_a_g09_a_new_leader_keeps_its_old_mark_and_hides_its_end_until_it_has_reached_it():
    world = Controlled()
    produce(world, acks=-1)
    while mark(world) == 0:
        world.run(1)
    assert mark(world, 2) == mark(world, 3) == 0
    world.kill(1)
    world.controller.fence(1)
    follower_stops(world, 2)
    world.cut |= {(3, 2), (2, 3)}
    world.run(30)
    one = world.look("orders-0@2")
    assert (one.role, one.log_end_offset, one.high_watermark) == ("leader", 1, 0)
    assert one.leader_epoch_start_offset == 1 and fetch(world, 2, 0, epoch=1).records == b""
    assert latest(world, 2, 1).error == "OFFSET_NOT_AVAILABLE"
    world.heal()
    world.run(400)
    assert (mark(world, 2), latest(world, 2, 1).offset) == (1, 1)


def test_a_g09_alone_in_the_isr_its_mark_is_its_end_at_once():
    world = Controlled(min_isr=1)
    produce(world, acks=-1)
    while mark(world) == 0:
        world.run(1)
    world.kill(1)
    world.kill(3)
    world.controller.fence(3)
    world.controller.fence(1)
    world.run(5)
    assert (world.controller.one.leader, mark(world, 2)) == (2, 1)


def test_a_g14_a_follower_that_stopped_leaves_between_one_lag_time_and_one_and_a_half():
    world = Controlled(min_isr=1)
    world.run(100)
    follower_stops(world, 3)
    began_ms = world.now_ms
    while 3 in world.look("orders-0@1").isr:
        produce(world)
        world.run(10)
    assert 400 < world.now_ms - began_ms <= 600 + 50


def test_a_g14_where_nothing_is_written_a_follower_at_the_end_is_never_removed():
    world = Controlled()
    world.run(100)
    follower_stops(world, 3)
    world.run(5_000)
    assert world.controller.one.isr == (1, 2, 3)


def test_a_g15_a_follower_that_trails_by_one_round_stays():
    world = Controlled(replica_lag_time_max_ms=60)
    world.slow = lambda sender, receiver: 12 if sender == 1 and receiver == 3 else 1
    for _ in range(100):
        produce(world)
        world.run(5)
    one = world.look("orders-0@1")
    assert dict(one.remote_log_end_offset)[3] < one.log_end_offset
    assert world.controller.one.isr == (1, 2, 3)


def test_a_g16_to_come_back_a_follower_needs_what_this_epoch_began_with():
    world = Controlled(isr=(1, 2), min_isr=1)
    leader = world.nodes[1].partition
    leader.log.append_as_leader(batch(records=9), 0, 0)
    leader.role.epoch_start_offset, leader.log.high_watermark = 8, 4
    for offset, joins in ((5, False), (7, False), (8, True)):
        leader.update_follower_fetch_state(3, offset, (), 0, broker_epoch=3)
        assert (leader.snapshot().isr_state == "PENDING EXPAND") is joins


@pytest.mark.parametrize("gate, told, committed", [
    (True, "REQUEST_TIMED_OUT", 0), (False, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", 1)])
def test_a_g17_an_acknowledgement_that_waits_for_too_small_an_isr_times_out(gate, told, committed):
    """Before the mark waited for min ISR members (KIP-966), it was told after the append."""
    world = Controlled(rules=Rules(min_isr_gate=gate),
                       excused=() if gate else ("LeaderCandidateCompleteness",))
    world.run(50)
    for broker in (2, 3):
        world.kill(broker)
    produce(world, acks=-1, timeout_ms=2_000)
    request = f"request-client.{next(world._client_ids) - 1}"
    for broker in (2, 3):
        world.controller.fence(broker)
    world.run(1_900)
    assert (world.answer_of(request) is None) is gate and world.look("orders-0@1").isr == (1,)
    world.run(200)
    assert (world.answer_of(request).partitions[0].error, mark(world)) == (told, committed)


def test_a_g18_after_an_unclean_election_the_old_leader_cuts_even_below_its_mark():
    world = Controlled(min_isr=1, unclean=True, excused=(
        "CommittedNeverLost", "LeaderCandidateCompleteness", "ConsistentRead", "StrongIsr",
        "WeakIsr", "ValidHighWatermark", "FollowerHwBound"))
    produce(world, count=5)
    world.run(100)
    for broker in (2, 3):
        follower_stops(world, broker)
        world.controller.fence(broker)
    world.run(20)
    produce(world, count=3)
    world.run(60)
    world.run(200)
    assert (world.controller.one.isr, mark(world)) == ((1,), 8)
    world.kill(1)
    world.heal()
    world.controller.fence(1)
    world.controller.unfence(2)
    one = world.controller.one
    assert (one.leader, one.isr, one.leader_recovery_state) == (2, (2,), 1)
    world.run(50)
    assert latest(world, 2, one.leader_epoch).offset == 5
    world.restart(1)
    world.run(1_000)
    cuts = [change[3:6] for change in world.trace.changes if change[1] == "orders-0@1"
            and change[2] == "log_end_offset" and change[3] == 8]
    assert [cut[:2] for cut in cuts] == [(8, 5)] and "below its high watermark" in cuts[0][2]
    asked = [change[4] for change in world.trace.changes if change[2] == "asked"]
    assert not [one for one in asked if "list offsets" in one]           # but by the epochs
    assert sorted(world.controller.one.isr) == [1, 2]
    assert world.controller.one.leader_recovery_state == 0


def test_a_g21_a_consumer_is_sent_to_a_replica_in_its_rack():
    world = Controlled(racks={1: "a", 2: "b", 3: "c"}, replica_selector_class=RACK_AWARE)
    produce(world, count=4)
    world.run(100)
    assert fetch(world, 1, 2, rack="a").preferred_read_replica == -1
    assert fetch(world, 1, 2, rack="nowhere").preferred_read_replica == -1
    told = fetch(world, 1, 2, rack="b")
    assert (told.preferred_read_replica, told.records, told.high_watermark) == (2, b"", 4)
    produce(world, count=3)
    world.run(10)
    one = world.look("orders-0@2")
    assert (one.log_end_offset, one.high_watermark) == (7, 4)
    near = batches(fetch(world, 2, 2, rack="b").records)
    assert [one.base_offset for one in near] == [2, 3]                   # up to its own mark
    follower_stops(world, 2)
    produce(world, count=3)
    world.run(20)
    assert fetch(world, 1, 9, rack="b").preferred_read_replica == -1     # 2 does not have that
    assert fetch(world, 2, 8, rack="b").error == "OFFSET_OUT_OF_RANGE"


def test_a_g22_a_follower_whose_log_ends_before_the_leaders_begins_starts_over_there():
    world = Controlled(min_isr=1)
    produce(world, count=2)
    world.run(100)
    world.kill(3)
    world.controller.fence(3)
    world.run(20)
    produce(world, count=6)
    world.run(100)
    world.nodes[1].partition.delete_records_on_leader(5, ())
    world.restart(3)
    world.run(400)
    one = world.look("orders-0@3")
    assert (one.log_start_offset, one.log_end_offset, one.high_watermark) == (5, 8, 8)
    assert (2, 5) in world.changes("log_end_offset", 3)
    assert 5 in [mark for _, mark in world.changes("high_watermark", 3)]
    assert sorted(world.controller.one.isr) == [1, 2, 3]


def test_h2_a_replica_that_lost_its_log_meanwhile_is_not_let_in():
    def story(rules: Rules) -> Controlled:
        world = Controlled(isr=(1, 2), rules=rules, excused=("StrongIsr", "WeakIsr"))
        produce(world, count=2)
        hold_controller(world)
        world.run(30)
        assert world.look("orders-0@1").isr_state == "PENDING EXPAND"
        world.kill(3, "disk")
        world.cut |= {(1, 3), (3, 1)}             # it does not fetch again so soon
        world.restart(3)
        world.run(1_500)
        return world

    world = story(Rules())
    assert world.refusals()[0] == "INELIGIBLE_REPLICA"
    assert world.controller.one.isr == (1, 2)
    with pytest.raises(InvariantViolated, match="LeaderCandidateCompleteness"):
        story(Rules(broker_epochs=False))


def test_a_leader_that_is_deposed_answers_who_waits_and_follows():
    world = Controlled()
    world.run(50)
    follower_stops(world, 2)
    follower_stops(world, 3)
    produce(world, acks=-1, timeout_ms=5_000)
    request = f"request-client.{next(world._client_ids) - 1}"
    world.controller.change(world.controller.one.isr, prefer=2)
    world.run(10)
    told = world.answer_of(request).partitions[0]
    assert told.error == "NOT_LEADER_OR_FOLLOWER" and told.current_leader == (2, 1)
    world.heal()
    world.run(500)
    assert world.look("orders-0@1").role == "follower"
    assert world.look("orders-0@1").log_end_offset == 0          # what only it had is cut off


def test_a_topic_that_is_deleted_goes_from_the_disk_and_its_fetches_end():
    world = Controlled()
    produce(world)
    world.run(60)
    node = world.nodes[2]
    image = world.image._replace(topics={})
    world._perform(2, node.manager.apply_image(image, world.now_ms, ()))
    assert node.manager.partitions == {} and world.look("orders-0@2") is None
    assert [name for name in node.disk.directories() if name.startswith("orders-0.")]
    assert not node.disk.exists("orders-0/leader-epoch-checkpoint")
    assert TopicPartition("orders", 0) not in node.manager.partitions


def test_every_change_of_a_replica_is_told():
    """No snapshot differs from the one before without a change of its subject."""
    world, seen = Controlled(seed=5), {}
    world.slow = lambda sender, receiver: 1 + world.random.randrange(20)

    def compare(event):
        said = {change[1] for change in world.trace.changes if change[0] == event}
        for broker in world.nodes:
            now = world.look(subject := f"orders-0@{broker}")
            now = now and now._replace(waits=())
            assert now == seen.get(subject, now) or subject in said or \
                world.nodes[broker].manager is None, (subject, seen.get(subject), now)
            seen[subject] = now

    after = world.trial.after_event
    world.trial.after_event = lambda event: (after(event), compare(event))
    for turn in range(12):
        leader = world.controller.one.leader
        if world.nodes[leader].manager and world.nodes[leader].partition.role.role == "leader":
            produce(world, leader, 2)
        if turn % 4 == 1:
            world.kill(leader)
            world.controller.fence(leader)
        if turn % 4 == 3:
            for broker, node in world.nodes.items():
                if node.manager is None:
                    world.restart(broker)
        world.run(150)
    assert len(seen) == 3 and world.controller.one.leader_epoch > 2
