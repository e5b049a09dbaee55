"""The tables of replication over their whole grids; where a follower cuts its log."""

from itertools import product

import pytest

from kafka_internals.common import Disconnect, Send
from kafka_internals.messages import Request
from kafka_internals.messages.alter_partition import (
    AlterPartitionData,
    AlterPartitionPartitionResponse,
    AlterPartitionResponse,
    BrokerState,
)
from kafka_internals.messages.fetch import EpochEndOffset
from kafka_internals.server import partition_state, replica_fetcher
from kafka_internals.server.alter_partition_manager import (
    AlterPartitionItem,
    AlterPartitionManager,
)
from kafka_internals.server.kraft_metadata_cache import KRaftMetadataCache
from kafka_internals.server.node_to_controller_channel_manager import (
    NodeToControllerChannelManager,
)
from kafka_internals.server.offset_truncation_state import get_offset_truncation_state
from kafka_internals.server.partition_roles import Leader
from kafka_internals.server.partition_state import (
    ANSWERS,
    CommittedPartitionState,
    PendingExpandIsr,
    PendingShrinkIsr,
)
from kafka_internals.server.replica import LONG_AGO_MS, Replica
from kafka_internals.server.replica_selector import RackAwareReplicaSelector, ReplicaView
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.leader_epoch_file_cache import LeaderEpochFileCache
from tests.clients.talk import tp

COMMITTED = CommittedPartitionState((1, 2))
STATES = {one.name: one for one in (COMMITTED, PendingExpandIsr(3, COMMITTED),
                                    PendingShrinkIsr((2,), COMMITTED))}


@pytest.mark.parametrize("state, event", [*product(
    STATES, sorted({event for _, event in partition_state.TRANSITIONS}))])
def test_the_whole_grid_of_the_isr(state, event):
    leader = Leader(1, KRaftMetadataCache(), 100)
    leader.state = STATES[state]
    after = partition_state.TRANSITIONS.get((state, event))
    if after is None:
        with pytest.raises(KeyError):
            leader.move(event, STATES[state])
        return
    for name, one in STATES.items():
        if name == after:
            leader.move(event, one)
            assert leader.state is one
        else:
            leader.state = STATES[state]
            with pytest.raises(AssertionError):
                leader.move(event, one)


def test_what_each_state_of_an_isr_counts():
    told = {name: (one.isr, one.maximal_isr, one.proposed_isr) for name, one in STATES.items()}
    assert told == {"COMMITTED": ((1, 2), (1, 2), (1, 2)),
                    "PENDING EXPAND": ((1, 2), (1, 2, 3), (1, 2, 3)),
                    "PENDING SHRINK": ((1, 2), (1, 2), (1,))}
    assert set(ANSWERS.values()) <= {event for _, event in partition_state.TRANSITIONS}


def test_the_whole_grid_of_a_followers_fetch_state():
    states = {"NEW", "TRUNCATING", "FETCHING", "FAILED"}
    table = replica_fetcher.TRANSITIONS
    assert {state for state, _ in table} == states == set(table.values()) | {"NEW"}
    assert {event for state, event in table if state == "FAILED"} == {"new leader"}
    reached, frontier = set(), ["NEW"]
    while frontier:
        state = frontier.pop()
        reached.add(state)
        frontier += [after for (before, _), after in table.items()
                     if before == state and after not in reached]
    assert reached == states


# -- where a follower cuts its log --------------------------------------------------------------
def cache(entries: dict[int, int]) -> LeaderEpochFileCache:
    one = LeaderEpochFileCache(Disk(lambda n: 0), "orders-0")
    for epoch, start in entries.items():
        one.assign(epoch, start)
    return one


def rounds(leader: dict, leader_end: int, follower: dict, end: int) -> list[tuple]:
    """Fetch until the logs agree: (what was fetched, the leader's answer, the log's new end)."""
    ahead, own, told = cache(leader), cache(follower), []
    while True:
        epoch = own.latest_epoch
        known, ends = answer = ahead.end_offset_for(epoch, leader_end)
        if known == epoch and ends >= end:
            return told
        cut = get_offset_truncation_state(EpochEndOffset(*answer), 0, end,
                                          lambda e, at=end: own.end_offset_for(e, at))
        told.append(((end, epoch), answer, cut.offset))
        assert cut.offset < end, "each round takes something away"
        end = cut.offset
        own.truncate_from_end(end)


@pytest.mark.parametrize("leader, leader_end, follower, end, expected", [
    ({1: 0, 3: 5}, 9, {1: 0, 2: 3}, 7, [((7, 2), (1, 5), 3)]),
    ({1: 0, 2: 2}, 6, {1: 0}, 4, [((4, 1), (1, 2), 2)]),
    ({1: 0, 3: 4, 5: 8}, 12, {1: 0, 2: 2, 4: 6}, 9, [((9, 4), (3, 8), 6), ((6, 2), (1, 4), 2)]),
    ({1: 0, 2: 2}, 6, {1: 0, 2: 2}, 5, []),
])
def test_a_g10_logs_that_part_agree_after_so_many_rounds(leader, leader_end, follower, end,
                                                         expected):
    assert rounds(leader, leader_end, follower, end) == expected


def histories(longest: int):
    """Every pair of logs that one history of leaders can have left, from a shared beginning."""
    for shared, ours, theirs in product(range(1, longest), range(longest), range(longest)):
        leader = [(1, offset) for offset in range(shared)] + [
            (3, shared + offset) for offset in range(theirs)]
        follower = [(1, offset) for offset in range(shared)] + [
            (2, shared + offset) for offset in range(ours)]
        yield leader, follower, shared
        yield leader, follower + [(4, len(follower))], shared


@pytest.mark.parametrize("leader, follower, shared", [*histories(4)])
def test_the_whole_grid_of_two_logs_keeps_all_that_is_shared_and_nothing_else(leader, follower,
                                                                              shared):
    def entries(log):
        starts = {}
        for epoch, offset in log:
            starts.setdefault(epoch, offset)
        return starts

    epochs = {**entries(leader), 5: len(leader)}              # who leads has an epoch of its own
    told = rounds(epochs, len(leader), entries(follower), len(follower))
    end = told[-1][2] if told else len(follower)
    assert end == shared if follower[shared:] else end == len(follower)
    assert len(told) <= len(entries(follower))


@pytest.mark.parametrize("answer, expected", [
    ((-1, -1), (3, True)),                      # the leader cannot tell: the high watermark
    ((-1, 5), (5, True)),                       # an old broker's answer, without an epoch
    ((-1, 50), (9, True)),
    ((0, 7), (0, False)),                       # older than everything here
])
def test_answers_that_name_no_epoch_of_ours(answer, expected):
    own = cache({2: 0, 4: 6})

    def end_offset_for(epoch):
        return own.end_offset_for(epoch, 9)

    cut = get_offset_truncation_state(EpochEndOffset(*answer), 3, 9, end_offset_for)
    if answer == (0, 7):
        assert cut.offset == 0                  # nothing of it is the leader's
    else:
        assert cut == expected


def test_a_g11_leaders_that_wrote_nothing_leave_only_the_last():
    one = cache({4: 0})
    for epoch in (5, 6, 7):
        one.assign(epoch, 10)
    assert [tuple(entry) for entry in one.epoch_entries] == [(4, 0), (7, 10)]
    assert one.end_offset_for(5, 10) == (4, 10)


# -- what a leader knows of a follower ----------------------------------------------------------
def test_times_of_a_replica_that_trails_by_one_fetch():
    one = Replica(2)
    assert one.state.last_caught_up_time_ms == LONG_AGO_MS
    for now_ms, offset, end, caught_up_ms in ((10, 0, 5, LONG_AGO_MS), (20, 5, 9, 10),
                                              (30, 8, 12, 10), (40, 12, 12, 40)):
        one.update_fetch_state(offset, 0, now_ms, end, 7, 7)
        assert one.state.last_caught_up_time_ms == caught_up_ms
    one.reset_state(50, 12, is_new_leader=False, is_in_sync=True)
    assert (one.state.log_end_offset, one.state.last_caught_up_time_ms) == (12, 50)
    one.reset_state(60, 12, is_new_leader=True, is_in_sync=False)
    assert (one.state.log_end_offset, one.state.last_caught_up_time_ms) == (-1, LONG_AGO_MS)
    assert one.state.broker_epoch is None


def test_of_several_replicas_in_a_rack_the_one_furthest_on_is_chosen():
    leader = ReplicaView(9, 0, 1, "a")
    views = [ReplicaView(5, -3, 2, "b"), ReplicaView(7, -9, 3, "b"), ReplicaView(7, -4, 4, "b"),
             leader]
    select = RackAwareReplicaSelector.select
    assert [select(rack, views, leader).broker for rack in ("a", "b", "c", "")] == [1, 4, 1, 1]


# -- AlterPartitionManager ----------------------------------------------------------------------
class Asking:
    """A manager, and what it sent last."""

    def __init__(self) -> None:
        self.controller, self.told, self.sent = 100, [], []
        self.manager = AlterPartitionManager(1, lambda: 7, NodeToControllerChannelManager(
            "broker-1-alter-partition", lambda: self.controller, iter(range(1, 99)).__next__))

    def do(self, effects) -> None:
        assert not any(isinstance(one, Disconnect) for one in effects)
        self.sent += [one for one in effects if isinstance(one, Send)]

    def submit(self, number: int, now_ms: int = 0) -> None:
        data = AlterPartitionData(tp(number), "id", 0, (BrokerState(1, 7),), 0)
        self.do(self.manager.submit(AlterPartitionItem(
            data, lambda answer, reads, ms: self.told.append((number, answer.error)) or [], ()),
            now_ms))

    def answer(self, *numbers: int, error: str = "NONE", now_ms: int = 0) -> None:
        request: Request = self.sent[-1].request
        self.do(self.manager.handle(request.answered(AlterPartitionResponse(tuple(
            AlterPartitionPartitionResponse(tp(number)) for number in numbers), error)), now_ms))

    def asked(self) -> list[list[int]]:
        return [[one.partition.partition for one in send.request.body.partitions]
                for send in self.sent]


def test_one_request_is_in_flight_and_the_next_takes_all_that_came_meanwhile():
    one = Asking()
    for number in (0, 1, 2):
        one.submit(number)
    assert one.asked() == [[0]] and one.sent[0].to == 100
    one.answer(0)
    assert one.told == [(0, "NONE")] and one.asked() == [[0], [1, 2]]


def test_a_second_change_of_one_partition_is_not_attempted():
    one = Asking()
    one.submit(0)
    one.submit(0)
    assert one.told == [(0, "OPERATION_NOT_ATTEMPTED")] and one.asked() == [[0]]


def test_what_an_answer_leaves_out_is_asked_for_again():
    one = Asking()
    one.submit(0)
    one.submit(1)
    one.answer(0)
    one.answer()
    assert one.told == [(0, "NONE")] and one.asked() == [[0], [1], [1]]


@pytest.mark.parametrize("error", ["STALE_BROKER_EPOCH", "NOT_CONTROLLER"])
def test_an_error_about_the_asker_is_tried_again_after_the_back_off(error):
    one = Asking()
    one.submit(0)
    one.answer(error=error, now_ms=10)
    one.controller = 101
    assert one.manager.next_deadline_ms() == 60 and one.manager.tick(59) == []
    one.do(one.manager.tick(60))
    assert one.asked() == [[0], [0]] and one.sent[-1].to == 101 and one.told == []


def test_a_lost_request_and_a_missing_controller_are_tried_again():
    one = Asking()
    one.controller = None
    one.submit(0)
    assert one.sent == [] and one.manager.next_deadline_ms() == 100
    one.controller = 100
    one.do(one.manager.tick(100))
    one.manager.channel.disconnected(110)
    one.submit(1, 120)
    one.do(one.manager.tick(160))
    assert one.asked() == [[0], [0]]                     # the very same request
    late = one.sent[0].request
    assert one.manager.handle(late.answered(AlterPartitionResponse(())), 120) == []
