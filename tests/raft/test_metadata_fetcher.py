"""The observer's side of the quorum: it finds the leader, copies, cuts, and never loses more."""

import pytest

from kafka_internals.common import Disconnect, Send
from kafka_internals.errors import (
    IllegalArgumentException,
    IllegalStateException,
    KafkaException,
)
from kafka_internals.messages.fetch import LeaderIdAndEpoch
from kafka_internals.messages.metadata_records import TopicRecord
from kafka_internals.raft.raft_client import LeaderAndEpoch
from kafka_internals.record_batch import batches
from tests.raft.quorums import CONTROLLER, VOTER, Node, controller, deliver, observer

ORDERS = TopicRecord("orders", "AAAAAAAAAAAAAAAAAAAAKg")
AUDIT = TopicRecord("audit", "AAAAAAAAAAAAAAAAAAAAKw")


def test_an_observer_finds_the_leader_and_copies_its_log_byte_for_byte():
    leader = controller()
    leader.append([ORDERS])
    node = observer(leader)
    assert node.log.content() == leader.log.content()
    assert node.listener.batches == leader.listener.batches
    assert (node.state, node.client.snapshot().high_watermark) == ("FOLLOWER", 4)
    assert node.listener.leaders[-1] == (LeaderAndEpoch(CONTROLLER, 1), 0)
    assert len(node.listener.leaders) == 1
    leader.append([AUDIT])
    deliver(leader, node)
    assert node.listener.records == [ORDERS, AUDIT]


def test_an_observers_first_file_has_the_version_of_a_log_without_voters():
    leader = controller()
    node = observer(leader)
    assert node.quorum_state == (
        b'{"clusterId":"","leaderId":100,"leaderEpoch":1,"votedId":-1,"appliedOffset":0,'
        b'"currentVoters":[],"data_version":0}')
    node.restart(0)
    assert node.state == "FOLLOWER" and node.quorum_state.endswith(b'"data_version":1}')


def test_an_observer_whose_log_was_lost_asks_again_who_leads():
    leader = controller()
    node = observer(leader)
    node.log.truncate_to(0, 0)
    node.restart(0)
    assert node.client.snapshot()[1:4] == ("UNATTACHED", 100, 1)
    deliver(leader, node)
    assert node.log.content() == leader.log.content() and node.state == "FOLLOWER"


def test_an_observer_follows_into_the_next_epoch():
    leader = controller()
    node = observer(leader)
    leader.restart(1_000)
    node.do(node.client.disconnected(1_000))
    node.do(node.client.tick(1_020))
    deliver(leader, node, 1_020)
    assert node.client.snapshot().leader_epoch == 2
    assert node.log.content() == leader.log.content()
    assert [one for one, _ in node.listener.leaders][-1] == LeaderAndEpoch(CONTROLLER, 2)


def test_an_observer_cuts_off_what_the_leader_does_not_have():
    """The leader lost its last record before it was committed to anybody."""
    leader = controller()
    node = observer(leader)
    ahead = leader.log.content()
    lost = controller()
    lost.append([ORDERS])
    extra = list(batches(lost.log.content()))[-1]
    node.log.append_as_follower([extra], 1, 0)
    assert node.log.log_end_offset == 4
    leader.restart(0)
    node.restart(0)
    deliver(leader, node)
    assert node.log.content() == leader.log.content() != ahead
    assert [one.new for one in node.changes if "parts" in one.rule] == [3]


def test_b_g10_an_observer_never_cuts_off_what_is_committed():
    leader = controller()
    leader.append([ORDERS])
    node = observer(leader)
    other = Node(CONTROLLER, (VOTER,))                           # the leader's disk was replaced
    other.start()
    other.restart(0)
    other.restart(0)
    node.do(node.client.disconnected(0))
    node.do(node.client.tick(20))
    with pytest.raises(KafkaException, match="which is below the current high watermark 4"):
        deliver(other, node, 20)


def test_what_was_damaged_on_its_way_is_asked_for_again():
    leader, node = controller(), Node(1)
    node.start()
    for at in range(12, leader.log.size, 17):
        asked = node.sent.popleft().request
        replies = leader.do(leader.client.handle(asked, 0))
        leader.sent.clear()
        (data,) = replies[0].body.partitions
        damaged = bytearray(data.records)
        if damaged:
            damaged[at] ^= 1
        body = asked.body.response((data._replace(records=bytes(damaged)),))
        node.do(node.client.handle(asked.answered(body), 0))
        assert node.log.content() == b"" and node.client.snapshot().high_watermark in (None, 0)
    assert [one.new for one in node.changes if one.attribute == "log_end_offset"] == [0]
    deliver(leader, node)
    assert node.log.content() == leader.log.content()


def test_who_has_no_vote_and_nobody_to_ask_is_refused():
    with pytest.raises(IllegalArgumentException, match="node 1 has no vote and nobody to ask"):
        Node(1, bootstrap=())


def test_a_snapshot_is_made_anew_only_after_a_change():
    leader = controller()
    before = leader.client.snapshot()
    assert leader.client.snapshot() is before
    leader.append([ORDERS])
    assert leader.client.snapshot().log_end_offset == before.log_end_offset + 1 == 4


def test_a_lost_connection_is_tried_again_after_the_back_off():
    node = Node(1)
    node.start()
    assert node.client.next_deadline_ms() == 2_000
    node.do(node.client.disconnected(10))
    assert node.client.next_deadline_ms() == 30 and node.do(node.client.tick(29)) == []
    (again,) = node.do(node.client.tick(30))
    assert isinstance(again, Send) and again.to == CONTROLLER


def test_a_request_without_an_answer_is_given_up():
    node = Node(1)
    (asked,) = node.start()
    assert node.do(node.client.tick(2_000)) == [Disconnect(CONTROLLER)]
    (again,) = node.do(node.client.tick(2_020))
    assert again.request.id != asked.request.id
    late = asked.request.answered(asked.request.body.response(()))
    assert node.client.handle(late, 2_030) == []                 # nobody waits for it any more


def test_a_leader_that_does_not_answer_is_looked_for_elsewhere():
    leader, node = controller(), Node(1, bootstrap=(101, 102))
    (asked,) = node.start()
    data = leader.ask(0, 0, 0)
    node.sent.clear()
    node.do(node.client.handle(asked.request.answered(asked.request.body.response((data,))), 0))
    assert node.state == "FOLLOWER" and node.sent.popleft().to == CONTROLLER
    node.do(node.client.disconnected(0))
    (elsewhere,) = node.do(node.client.tick(20))
    assert elsewhere.to == 102


def test_the_leader_of_an_epoch_that_is_over_is_not_believed():
    leader, old = controller(), controller()
    node = observer(leader)
    leader.restart(0)
    node.do(node.client.disconnected(0))
    node.do(node.client.tick(20))
    deliver(leader, node, 20)
    before = node.client.snapshot()
    old.append([ORDERS, AUDIT])
    node.do(node.client.disconnected(30))
    (asked,) = node.do(node.client.tick(50))
    data = old.ask(3, 1, 1)
    node.do(node.client.handle(asked.request.answered(asked.request.body.response((data,))), 50))
    assert data.records and data.current_leader.leader_epoch == 1
    assert node.client.snapshot() == before and before.leader_epoch == 2


def test_nodes_that_know_no_leader_are_asked_in_turn():
    node = Node(1, bootstrap=(100, 101))
    node.start()
    for _ in range(3):
        node.do(node.client.disconnected(0))
        node.do(node.client.tick(20))
    assert [one.to for one in node.sent] == [100, 101, 100, 101]


def test_two_leaders_of_one_epoch_cannot_be():
    leader = controller()
    node = observer(leader)
    node.do(node.client.disconnected(0))
    (asked,) = node.do(node.client.tick(20))
    data = leader.ask(0, 1, 0)._replace(current_leader=LeaderIdAndEpoch(101, 1), records=b"")
    answer = asked.request.answered(asked.request.body.response((data,)))
    with pytest.raises(IllegalStateException, match="leader 101 and epoch 1: node 1 is FOLLOWER"):
        node.client.handle(answer, 20)


def test_a_fetch_that_the_leader_does_not_understand_is_a_bug():
    leader, node = controller(), Node(1)
    (asked,) = node.start()
    data = leader.ask(0, 1, 2)
    with pytest.raises(IllegalStateException, match="told INVALID_REQUEST"):
        node.client.handle(asked.request.answered(asked.request.body.response((data,))), 5)


@pytest.mark.parametrize("error", ["BROKER_NOT_AVAILABLE", "UNKNOWN_SERVER_ERROR"])
def test_an_answer_that_says_nothing_is_asked_for_again_later(error):
    leader, node = controller(), Node(1)
    (asked,) = node.start()
    data = leader.ask(0, 1, 0)._replace(error=error)
    node.sent.clear()
    node.do(node.client.handle(asked.request.answered(asked.request.body.response((data,))), 5))
    assert not node.sent and node.client.next_deadline_ms() == 25
