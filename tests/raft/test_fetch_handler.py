"""The leader's side of a Fetch in the quorum: where logs part, what is refused, and who waits."""

import pytest

from kafka_internals.messages.fetch import EpochEndOffset, LeaderIdAndEpoch
from kafka_internals.messages.metadata_records import TopicRecord
from kafka_internals.record_batch import batches
from tests.raft.quorums import CONTROLLER, Node, controller, observer

ORDERS = TopicRecord("orders", "AAAAAAAAAAAAAAAAAAAAKg")
AUDIT = TopicRecord("audit", "AAAAAAAAAAAAAAAAAAAAKw")


def led_twice() -> Node:
    """Epoch 1: offsets 0 to 3; epoch 2: 4 and 5."""
    node = controller()
    node.append([ORDERS])
    node.restart(0)
    node.append([AUDIT])
    return node


@pytest.mark.parametrize("offset, last_epoch, expected", [
    (0, 0, None), (3, 1, None), (4, 1, None), (5, 2, None), (6, 2, None), (2, 1, None),
    (5, 1, (1, 4)), (7, 2, (2, 6)), (100, 1, (1, 4)), (2, 0, (0, 0)), (1, 2, None)])
def test_a_leader_says_where_the_logs_part(offset, last_epoch, expected):
    data = led_twice().ask(offset, 2, last_epoch)
    assert data.error == "NONE" and data.current_leader == LeaderIdAndEpoch(CONTROLLER, 2)
    assert data.diverging_epoch == (expected and EpochEndOffset(*expected))
    found = [one.base_offset for one in batches(data.records)]
    assert data.high_watermark == 6
    assert bool(found) == (expected is None and offset < 6)


@pytest.mark.parametrize("given, error", [
    ((0, 1, 0), "FENCED_LEADER_EPOCH"), ((0, 3, 0), "UNKNOWN_LEADER_EPOCH"),
    ((0, 1, 2), "INVALID_REQUEST"), ((-1, 2, 0), "INVALID_REQUEST"), ((0, 2, -1),
                                                                      "INVALID_REQUEST")])
def test_a_wrong_fetch_is_refused_and_told_who_leads(given, error):
    data = led_twice().ask(*given)
    assert (data.error, data.high_watermark, data.records) == (error, -1, b"")
    assert data.current_leader == LeaderIdAndEpoch(CONTROLLER, 2)


def test_an_observer_refuses_to_serve_and_tells_whom_to_ask():
    leader = controller()
    data = observer(leader).ask(0, 1, 0)
    assert (data.error, data.current_leader) == ("NOT_LEADER_OR_FOLLOWER",
                                                 LeaderIdAndEpoch(CONTROLLER, 1))


def test_a_fetch_that_finds_nothing_waits_for_records():
    node = controller()
    assert node.ask(3, 1, 1, max_wait_ms=500, high_watermark=3) is None
    assert node.client.snapshot().parked and node.client.next_deadline_ms() == 500
    assert node.client.snapshot().waits[0][2:5] == ("log_end_offset", 4, 500)
    node.append([ORDERS])
    (reply,) = node.sent
    (data,) = reply.body.partitions
    assert data.high_watermark == 4 and len(data.records) > 61
    assert node.client.snapshot().parked == ()


def test_a_fetch_waits_no_longer_than_it_wants_to():
    node = controller()
    assert node.ask(3, 1, 1, now_ms=50, max_wait_ms=500) is None
    assert node.do(node.client.tick(549)) == []
    (reply,) = node.do(node.client.tick(550))
    assert reply.body.partitions[0].records == b""
    assert node.client.next_deadline_ms() is None


def test_who_knows_a_lower_high_watermark_is_told_at_once():
    """KIP-1166: nobody waits half a second to hear that its records are committed."""
    node = controller()
    assert node.ask(3, 1, 1, max_wait_ms=500, high_watermark=2).high_watermark == 3
    assert node.ask(3, 1, 1, max_wait_ms=500, high_watermark=-1).high_watermark == 3
    assert node.ask(3, 1, 1, max_wait_ms=500) is None            # it does not care


def test_a_fetch_says_how_far_the_asker_is():
    node = controller()
    node.ask(3, 1, 1)
    assert node.client.snapshot().remote_log_end_offset == ((7, 3),)
    node.ask(100, 1, 1)                                          # no report: the logs part
    node.ask(0, 1, 0, replica_id=-1)
    assert node.client.snapshot().remote_log_end_offset == ((7, 3),)
