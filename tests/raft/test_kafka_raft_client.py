"""KafkaRaftClient: the only voter leads at once, and observers follow, whatever is lost."""

import pytest

from kafka_internals.common import Persist
from kafka_internals.config import QUORUM_CONFIG
from kafka_internals.errors import (
    IllegalArgumentException,
)
from kafka_internals.messages.kraft_control_records import (
    KRaftVersionRecord,
    LeaderChangeMessage,
    Voter,
    VotersRecord,
)
from kafka_internals.messages.metadata_records import NoOpRecord, TopicRecord
from kafka_internals.raft.batch_accumulator import NotLeaderException
from kafka_internals.raft.kafka_raft_client import KafkaRaftClient
from kafka_internals.raft.raft_client import LeaderAndEpoch
from kafka_internals.raft.raft_log import CLUSTER_METADATA
from tests.raft.quorums import CONTROLLER, VOTER, Heard, Node, controller, deliver, observer

ORDERS = TopicRecord("orders", "AAAAAAAAAAAAAAAAAAAAKg")
AUDIT = TopicRecord("audit", "AAAAAAAAAAAAAAAAAAAAKw")


# -- leading ----------------------------------------------------------------------------------
def test_the_only_voter_leads_at_once_and_its_epoch_begins_with_a_record_of_its_own():
    node = controller()
    snapshot = node.client.snapshot()
    assert (snapshot.state, snapshot.leader_id, snapshot.leader_epoch) == ("LEADER", 100, 1)
    assert (snapshot.epoch_start_offset, snapshot.log_end_offset, snapshot.high_watermark) == (
        0, 3, 3)
    assert node.log.high_watermark == 3
    (batch,) = node.listener.batches
    me = (Voter(CONTROLLER),)
    assert batch.control_records == (LeaderChangeMessage(CONTROLLER, me, me),
                                     KRaftVersionRecord(1), VotersRecord((VOTER,)))
    assert node.listener.leaders == [(LeaderAndEpoch(CONTROLLER, 1), 3)]


def test_it_goes_through_every_state_on_its_way_and_writes_the_vote_first():
    node = Node(CONTROLLER, (VOTER,))
    effects = node.client.start(0)
    assert [effect.new for effect in effects if getattr(effect, "attribute", "") == "state"] == [
        "UNATTACHED", "PROSPECTIVE", "CANDIDATE", "LEADER"]
    files = [effect.data for effect in effects if isinstance(effect, Persist)]
    assert [b'"leaderEpoch":%d,"votedId":%d' % told in file for told, file in zip(
        ((0, -1), (1, 100), (1, -1)), files, strict=True)] == [True] * 3
    persisted = effects.index(next(one for one in effects if isinstance(one, Persist)
                                   and b'"votedId":100' in one.data))
    voted = effects.index(next(one for one in effects if getattr(one, "new", "") == "CANDIDATE"))
    assert persisted < voted


def test_b_g05_a_restarted_leader_does_not_lead_its_epoch_again():
    node = controller()
    node.append([ORDERS])
    node.restart(1_000)
    states = [one.new for one in node.changes if one.attribute == "state"]
    assert states[-4:] == ["RESIGNED", "PROSPECTIVE", "CANDIDATE", "LEADER"]
    assert node.client.quorum.epoch == 2
    assert [batch.control_records for batch in node.listener.batches][2:] == [
        (LeaderChangeMessage(CONTROLLER, (Voter(CONTROLLER),), (Voter(CONTROLLER),)),)]
    assert node.listener.records == [ORDERS]
    assert node.listener.leaders == [(LeaderAndEpoch(CONTROLLER, 2), 5)]
    assert [(one.epoch, one.start_offset) for one in node.log.epochs.epoch_entries] == [
        (1, 0), (2, 4)]


@pytest.mark.parametrize("stored, first, epoch", [
    (b'{"leaderId":-1,"leaderEpoch":6,"votedId":100,"votedDirectoryId":"wxuUlJh6Qr60G7BlSk8MTg",'
     b'"data_version":1}', "CANDIDATE", 6),
    (b'{"leaderId":-1,"leaderEpoch":6,"votedId":100,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAQ",'
     b'"data_version":1}', "UNATTACHED", 7),
    (b'{"leaderId":100,"leaderEpoch":6,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA",'
     b'"data_version":1}', "RESIGNED", 7),
    (b"", "UNATTACHED", 1)])
def test_what_was_stored_decides_where_a_voter_begins(stored, first, epoch):
    """A vote for itself still stands; one by another directory was another node's."""
    node = Node(CONTROLLER, (VOTER,))
    node.disk.replace(f"{CLUSTER_METADATA}/quorum-state", stored)
    node.restart(0)
    assert [one.new for one in node.changes if one.attribute == "state"][0] == first
    assert (node.state, node.client.quorum.epoch) == ("LEADER", epoch)


def test_an_epoch_in_the_log_counts_more_than_an_older_one_in_the_file():
    node = controller()
    node.disk.replace(f"{CLUSTER_METADATA}/quorum-state", b"")
    node.restart(0)
    assert node.client.quorum.epoch == 2


# -- appending --------------------------------------------------------------------------------
def test_appends_share_a_batch_while_they_linger_and_have_their_offsets_at_once():
    node = controller()
    client = node.client
    assert client.schedule_atomic_append(1, [ORDERS, NoOpRecord()], 100) == 4
    assert client.schedule_atomic_append(1, [AUDIT], 110) == 5
    assert client.snapshot().log_end_offset == 3 and client.next_deadline_ms() == 125
    assert node.do(client.tick(124)) == [] and node.log.log_end_offset == 3
    node.do(client.tick(125))
    (batch,) = [one for one in node.listener.batches if one.records]
    assert batch.records == (ORDERS, NoOpRecord(), AUDIT)
    assert batch.append_timestamp % 1_000 == 100 and client.next_deadline_ms() is None


def unflushed(node: Node) -> int:
    return sum(one.unflushed_bytes for one in node.disk.snapshot().files
               if one.name.endswith(".log"))


def test_what_is_committed_is_on_the_platter():
    """Only what was flushed counts: no power loss takes back what the listener has heard."""
    node = controller()
    for number in range(10):
        node.append([TopicRecord(f"topic-{number}", ORDERS.topic_id)])
        assert unflushed(node) == 0
    committed = node.listener.records
    node.restart(0, power_loss=True)
    assert node.listener.records == committed and len(committed) == 10


def test_an_observer_flushes_nothing_and_fetches_again_what_it_loses():
    leader = controller()
    leader.append([ORDERS])
    node = observer(leader)
    assert unflushed(node) == leader.log.size
    node.restart(0, power_loss=True)
    deliver(leader, node)
    assert node.log.content() == leader.log.content()


def test_nothing_is_committed_before_a_record_of_the_own_epoch_is():
    """B-G02, of a quorum of one: the old epoch's records commit with the LeaderChange."""
    node = controller()
    node.append([ORDERS])
    node.begin()
    effects = node.client.start(0)
    marks = [(one.old, one.new) for one in effects
             if getattr(one, "attribute", "") == "high_watermark"]
    assert marks == [(None, None), (None, 5)]


@pytest.mark.parametrize("epoch, error", [(0, NotLeaderException), (2, IllegalArgumentException)])
def test_an_append_in_another_epoch_is_refused(epoch, error):
    with pytest.raises(error, match=f"epoch {epoch}"):
        controller().client.schedule_atomic_append(epoch, [ORDERS], 0)


def test_an_observer_may_not_append():
    node = Node(1)
    node.start()
    with pytest.raises(NotLeaderException, match="node 1 is UNATTACHED"):
        node.client.schedule_atomic_append(0, [ORDERS], 0)


def test_a_quorum_of_several_is_refused_by_name():
    with pytest.raises(IllegalArgumentException, match=r"one voter, .* 100; got \[100, 101\]"):
        Node(CONTROLLER, (VOTER, VOTER._replace(voter_id=101)))


class Claims(Heard):
    """A controller that writes its first records as soon as it leads."""

    def handle_leader_change(self, leader, reads, now_ms) -> list:
        self.client.schedule_atomic_append(leader.epoch, [ORDERS], now_ms, reads)
        return super().handle_leader_change(leader, reads, now_ms)


def test_a_listener_may_append_as_soon_as_it_hears_that_it_leads():
    node, listener = Node(CONTROLLER, (VOTER,)), Claims()
    node.client = listener.client = KafkaRaftClient(
        CONTROLLER, VOTER.voter_directory_id, node.log, listener, QUORUM_CONFIG.parse({}),
        voters=(VOTER,))
    node.start(10)
    assert listener.records == [] and node.client.next_deadline_ms() == 35
    node.do(node.client.tick(35))
    assert listener.records == [ORDERS] and listener.leaders == [(LeaderAndEpoch(100, 1), 3)]
    end = [one for one in node.changes if one.attribute == "log_end_offset"][-1]
    assert end.reads[0] == (node.client.subject, "high_watermark", 3)


# -- why --------------------------------------------------------------------------------------
def test_no_snapshot_changes_without_a_word():
    """Every field that differs between two moments is an attribute of some change."""
    leader, node = controller(), Node(1)
    for made in (leader, node):
        made.changes.clear()
    node.start()
    for step in range(6):
        for one in (leader, node):
            before, told = one.client.snapshot(), len(one.changes)
            if one is leader and step % 2:
                one.append([ORDERS], step)
            elif one is leader:
                while node.sent:
                    leader.do(leader.client.handle(node.sent.popleft().request, step))
            else:
                while leader.sent:
                    reply = leader.sent.popleft()
                    node.do(node.client.handle(reply.request.answered(reply.body), step))
            after = one.client.snapshot()
            said = {change.attribute.partition(".")[0] for change in one.changes[told:]
                    if change.subject == one.client.subject}
            differ = {name for name in after._fields if name not in ("batches", "waits")
                      and getattr(before, name) != getattr(after, name)}
            assert differ == said
    deliver(leader, node)
    assert node.log.content() == leader.log.content()


def test_why_leads_from_a_commit_on_an_observer_to_the_leaders_append():
    leader = controller()
    node = observer(leader)
    leader.append([ORDERS])
    deliver(leader, node)
    mark = [one for one in node.changes if one.attribute == "high_watermark"][-1]
    answer = next(one for one in leader.changes if one.attribute == "answer"
                  and (one.subject, "answer") in mark.reads)
    assert (leader.client.subject, "log_end_offset") in answer.reads
    assert (answer.subject, "asked") in answer.reads
    end = [one for one in leader.changes if one.attribute == "high_watermark"][-1]
    assert end.reads == ((leader.client.subject, "log_end_offset", 4),)
