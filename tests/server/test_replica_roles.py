"""One broker by itself: fetcher states, waiting requests, and where logs begin."""

import pytest

from kafka_internals.messages.delete_records import DeleteRecordsPartition, DeleteRecordsRequest
from kafka_internals.messages.fetch import (
    EpochEndOffset,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from kafka_internals.messages.produce import PartitionProduceData, ProduceRequest
from kafka_internals.server.partition_state import CommittedPartitionState, PendingExpandIsr
from kafka_internals.sim.invariants import InvariantViolated
from kafka_internals.storage.checkpoint_file import HIGH_WATERMARK_CHECKPOINT
from tests.server.controlled import CONTROLLER, ORDERS, Controlled, batch
from tests.server.test_replica_fetcher import Follower
from tests.server.test_replica_fetcher import batch as stored
from tests.server.test_replication import (
    fetch,
    follower_stops,
    hold_controller,
    latest,
    mark,
    produce,
)


def answered(world: Controlled, broker: int, body):
    """The request, and a function that gives its answer so far."""
    world.ask(broker, body)
    id = f"request-client.{next(world._client_ids) - 1}"
    return lambda: world.answer_of(id)


def waiting_fetch(world: Controlled, broker: int, offset: int, wait_ms: int = 400, epoch: int = 0,
                  replica: int = -1, last_epoch: int = -1):
    return answered(world, broker, FetchRequest(replica, wait_ms, 1, 10_000, (FetchPartition(
        ORDERS, offset, epoch, 10_000, 0, last_epoch),)))


# -- the fetcher ------------------------------------------------------------------------------
def state(one: Follower) -> str:
    return next(iter(one.fetcher.states.values())).state


def test_a_follower_that_is_fenced_in_its_own_epoch_waits_for_metadata():
    one = Follower()
    one.answer(5, "FENCED_LEADER_EPOCH")
    assert (state(one), one.request, one.fetcher.due_ms) == ("FAILED", None, None)
    assert one.partitions[0].snapshot().fetch_state == "FAILED"
    partition = one.partitions[0]
    partition.registration = partition.registration._replace(leader_epoch=1)
    one.do(one.fetcher.follow(one.partitions, 50))
    assert state(one) == "FETCHING" and one.request.body.partitions[0].current_leader_epoch == 1


def test_an_answer_to_what_was_asked_in_another_epoch_is_not_applied():
    one = Follower()
    partition = one.partitions[0]
    partition.registration = partition.registration._replace(leader_epoch=1)
    one.fetcher.follow(one.partitions, 50)
    one.answer(60, stored(0))
    assert partition.log.log_end_offset == 0 and one.asked() == "fetch orders-0 at 0"


def test_a_diverging_answer_cuts_the_log_and_moves_no_mark():
    one = Follower()
    one.answer(1, stored(0) + stored(1))
    request, one.request = one.request, None
    one.do(one.fetcher.handle(request.answered(FetchResponse((PartitionData(
        ORDERS, "NONE", 9, 0, stored(2), diverging_epoch=EpochEndOffset(0, 1)),))), 2))
    partition = one.partitions[0]
    assert (partition.log.log_end_offset, partition.high_watermark) == (1, 0)
    assert one.asked() == "fetch orders-0 at 1"


def test_an_offset_out_of_range_asks_for_the_end_and_then_for_the_start():
    """The leader's log begins within a batch, which the follower takes whole (DeleteRecords)."""
    world = Controlled(excused=("FollowerHwBound",))          # the mark is put by hand
    world.run(50)
    leader, follower = world.nodes[1].partition, world.nodes[2].partition
    leader.log.append_as_leader(batch(records=6), 0, 0)
    leader.log.high_watermark = 6
    leader.log.maybe_increment_log_start_offset(4)
    world.run(200)
    assert follower.log.log_start_offset == 4 and follower.log.log_end_offset == 6
    asked = [change[4] for change in world.trace.changes
             if change[1].startswith("request-broker-2") and change[2] == "asked"]
    assert [one for one in asked if one.startswith("list offsets")] == [
        "list offsets: end of orders-0", "list offsets: -4 of orders-0"]


# -- requests that wait -----------------------------------------------------------------------
def test_case_h_a_fetch_whose_reader_parts_from_the_leader_by_now_is_answered_with_that():
    world = Controlled(isr=(1,), min_isr=1)
    world.cut |= {(2, 1), (3, 1)}
    produce(world, count=2)
    got = waiting_fetch(world, 1, 2, replica=2, last_epoch=0)
    assert got() is None
    log = world.nodes[1].partition.log
    log.high_watermark = 0
    log.truncate_to(1, 0)
    world._perform(1, world.nodes[1].manager._complete_delayed(ORDERS, world.now_ms))
    assert got().partitions[0].error == "OFFSET_OUT_OF_RANGE" or \
        got().partitions[0].diverging_epoch == (0, 1)


def test_a_consumer_that_waits_at_a_follower_goes_on_when_its_mark_moves():
    world = Controlled()
    world.run(50)
    got = waiting_fetch(world, 2, 0)
    produce(world)
    while mark(world, 2) == 0:
        assert got() is None
        world.run(1)
    assert got().partitions[0].records


def test_an_isr_that_grows_counts_after_the_append_before_the_controller_has_answered():
    world = Controlled(isr=(1, 2), min_isr=2)
    one = world.nodes[1].partition
    one.role.state = PendingExpandIsr(3, CommittedPartitionState((1,)))
    one.log.append_as_leader(batch(), 0, 0)
    one.log.update_high_watermark(1)
    assert one.check_enough_replicas_reach_offset(1)
    one.role.state = CommittedPartitionState((1,))
    got = answered(world, 1, ProduceRequest(-1, 50, (PartitionProduceData(ORDERS, batch()),)))
    assert got().partitions[0].error == "NOT_ENOUGH_REPLICAS"


# -- where logs begin -------------------------------------------------------------------------
def test_delete_records_is_answered_when_every_living_replica_begins_there():
    world = Controlled(min_isr=1)
    produce(world, count=5)
    world.run(200)
    follower_stops(world, 3)
    got = answered(world, 1, DeleteRecordsRequest((DeleteRecordsPartition(ORDERS, 3),), 5_000))
    world.run(100)
    assert got() is None and world.look("orders-0@2").log_start_offset == 3
    world.heal()
    world.run(400)
    assert got().partitions[0].low_watermark == 3
    assert {world.look(f"orders-0@{one}").log_start_offset for one in (1, 2, 3)} == {3}


def test_delete_records_up_to_the_mark_and_never_beyond():
    world = Controlled(min_isr=1)
    produce(world, count=2)
    world.run(200)

    def told(offset, broker=1):
        got = answered(world, broker, DeleteRecordsRequest((
            DeleteRecordsPartition(ORDERS, offset),), 200))
        world.run(150)
        return got().partitions[0]

    assert told(3).error == "OFFSET_OUT_OF_RANGE" and told(1, 2).error == "NOT_LEADER_OR_FOLLOWER"
    assert (told(-1).low_watermark, world.look("orders-0@2").log_start_offset) == (2, 2)


def test_delete_records_that_waits_too_long_says_so_and_is_done_all_the_same():
    world = Controlled(min_isr=1)
    produce(world, count=2)
    world.run(200)
    follower_stops(world, 3)
    got = answered(world, 1, DeleteRecordsRequest((DeleteRecordsPartition(ORDERS, 1),), 100))
    world.run(120)
    assert got().partitions[0].error == "REQUEST_TIMED_OUT"
    assert world.look("orders-0@1").log_start_offset == 1


# -- what a restart begins with ---------------------------------------------------------------
@pytest.mark.parametrize("loses, at_least", [("", 3), ("disk", 0)])
def test_a_broker_begins_again_with_what_its_disk_has(loses, at_least):
    world = Controlled()
    produce(world, count=3)
    world.run(300)
    world.kill(3, loses)
    world.controller.fence(3)
    world.run(20)
    world.cut |= {(3, 1), (3, 2)}
    world.restart(3)
    one = world.look("orders-0@3")
    assert (one.log_end_offset, one.high_watermark) == (at_least, at_least)
    world.heal()
    world.run(800)
    assert sorted(world.controller.one.isr) == [1, 2, 3] and mark(world, 3) == 3


def test_the_checkpoint_has_the_mark_of_every_role():
    world = Controlled()
    produce(world, count=2)
    world.run(300)
    for node in world.nodes.values():
        assert node.disk.read(HIGH_WATERMARK_CHECKPOINT).decode().splitlines()[2:] == [
            "orders 0 2"]


def test_a_zombie_commits_nothing_and_hears_of_it_in_the_end():
    """D-G04: cut off from the controller and its followers, and a client still reaches it."""
    world = Controlled()
    produce(world, count=2)
    world.run(100)
    world.cut |= {(1, CONTROLLER), (CONTROLLER, 1), (1, 2), (2, 1), (1, 3), (3, 1)}
    world.controller.fence(1)
    world.run(50)
    got = answered(world, 1, ProduceRequest(-1, 300, (PartitionProduceData(ORDERS, batch()),)))
    world.run(350)
    assert got().partitions[0].error == "REQUEST_TIMED_OUT" and mark(world) == 2
    assert latest(world, world.controller.one.leader, 1).offset == 2
    hold_controller(world)
    world.heal()
    world.run(60)
    assert world.look("orders-0@1").role == "follower"
    assert fetch(world, 1, 0).error == "FENCED_LEADER_EPOCH"


def test_a_leader_that_never_heard_that_it_was_deposed_believes_what_it_knew_as_in_kafka_4_4():
    """Its image folds two changes of leader into one, and makeLeader resets nothing: a hole.

    Partition.makeLeader of Kafka 4.4.0 forgets where followers were only if the replica did not
    lead as far as it knows; meanwhile one of them has cut its log for the leader in between.
    """
    world = Controlled()
    world.run(50)
    follower_stops(world, 3)
    produce(world)
    while dict(world.look("orders-0@1").remote_log_end_offset)[2] != 1:
        world.run(1)
    world.cut.add((CONTROLLER, 1))
    world.controller.change(world.controller.one.isr, prefer=3)
    world.run(30)
    assert world.look("orders-0@2").log_end_offset == 0      # what 1 has of epoch 0, 3 has not
    world.controller.change(world.controller.one.isr, prefer=1)
    world.run(5)
    world._held = world._held[-1:]                           # of two images only the last arrives
    world.heal()
    world.cut.add((2, 1))
    with pytest.raises(InvariantViolated, match="WeakIsr .* broker 2 of its ISR"):
        world.run(1_000)
