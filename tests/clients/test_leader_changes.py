"""Clients when leaders change: validation (KIP-320), hints (KIP-951), nearer replicas (KIP-392)."""

import pytest

from kafka_internals.errors import LogTruncationException, OffsetOutOfRangeException
from kafka_internals.messages import LeaderIdAndEpoch
from kafka_internals.messages.fetch import FetchRequest, FetchResponse, PartitionData
from kafka_internals.messages.metadata import MetadataRequest, MetadataResponse, PartitionMetadata
from kafka_internals.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartitionResponse,
)
from kafka_internals.messages.produce import PartitionProduceResponse, ProduceResponse
from kafka_internals.record_batch import encode
from tests.clients.fetches import answer, poll, reading
from tests.clients.talk import BROKERS, Talk, tp


def batch(base_offset: int, epoch: int, count: int = 1) -> bytes:
    return encode([(1_000, None, b"%d" % (base_offset + n), ()) for n in range(count)],
                  base_offset=base_offset, partition_leader_epoch=epoch)


def led(talk: Talk, leader: int, epoch: int) -> None:
    """Answer the question who leads."""
    send = talk.take()
    assert isinstance(send.request.body, MetadataRequest), send
    talk.answer(send, MetadataResponse(BROKERS, (PartitionMetadata(tp(0), leader, epoch),)))


def refuse(talk: Talk, error: str, hint=None) -> None:
    """Answer the fetch in flight with an error."""
    send = talk.take()
    assert isinstance(send.request.body, FetchRequest), send
    talk.answer(send, FetchResponse((PartitionData(tp(0), error, current_leader=hint),)))


def has_read(talk: Talk, count: int = 3, epoch: int = 4) -> Talk:
    """A consumer that has given so many records of one epoch, and is told of another leader."""
    reading(talk)
    answer(talk, talk.take(), batch(0, epoch, count))
    assert len(poll(talk)) == count
    refuse(talk, "NOT_LEADER_OR_FOLLOWER", LeaderIdAndEpoch(2, 5))
    talk.call("poll", 1_000)
    return talk


def epoch_ends(talk: Talk, epoch: int, end: int, error: str = "NONE"):
    """Answer where an epoch ends; gives the question."""
    send = talk.take()
    while isinstance(send.request.body, MetadataRequest):
        talk.answer(send, MetadataResponse(BROKERS, (PartitionMetadata(tp(0), 2, 5),)))
        send = talk.take()
    assert isinstance(send.request.body, OffsetForLeaderEpochRequest) and send.to == 2, send
    talk.answer(send, OffsetForLeaderEpochResponse((
        OffsetForLeaderPartitionResponse(tp(0), error, epoch, end),)))
    return send.request.body.partitions[0]


def fetches(talk: Talk) -> list[str]:
    return [one for one in talk.take_all() if "fetch" in one]


def test_a_position_is_fetched_from_a_new_leader_once_it_is_known_to_be_in_its_log(consuming):
    talk = has_read(consuming())
    assert talk.core.snapshot().validating == (tp(0),)
    question = epoch_ends(talk, 4, 9)
    assert (question.current_leader_epoch, question.leader_epoch) == (5, 4)
    assert talk.core.snapshot().validating == ()
    assert fetches(talk) == ["2: fetch orders-0 at 3"]
    assert talk.values("validating") == [(tp(0),), ()]


def test_where_the_log_was_cut_off_a_reset_policy_goes_on_where_the_logs_part(consuming):
    talk = has_read(consuming(auto_offset_reset="latest"))
    epoch_ends(talk, 3, 1)
    assert talk.core.position(tp(0)) == 1 and fetches(talk) == ["2: fetch orders-0 at 1"]
    (change,) = [one for one in talk.changes if one.attribute == "position.orders-0"
                 and one.new == 1]
    assert "KIP-320" in change.rule and change.reads[0][1] == "answer"


def test_without_a_reset_policy_a_cut_off_log_is_an_error_that_says_where(consuming):
    talk = has_read(consuming(auto_offset_reset="none"))
    epoch_ends(talk, 3, 1)
    error = talk.core.polls[-1].error
    assert isinstance(error, LogTruncationException) and "orders-0: 1" in str(error)
    assert talk.core.position(tp(0)) == 3 and fetches(talk) == []


@pytest.mark.parametrize("policy", ["latest", "none"])
def test_a_leader_that_knows_nothing_of_the_epoch_makes_it_start_over(consuming, policy):
    talk = has_read(consuming(auto_offset_reset=policy))
    epoch_ends(talk, -1, -1)
    if policy == "none":
        assert isinstance(talk.core.polls[-1].error, LogTruncationException)
    else:
        assert talk.core.position(tp(0)) is None
        assert [one for one in talk.take_all() if "end of orders-0" in one]


@pytest.mark.parametrize("error", ["FENCED_LEADER_EPOCH", "UNKNOWN_LEADER_EPOCH",
                                   "NOT_LEADER_OR_FOLLOWER"])
def test_a_question_that_fails_is_asked_again_after_the_back_off(consuming, error):
    talk = has_read(consuming())
    epoch_ends(talk, -1, -1, error)
    asked_ms = talk.now_ms
    assert fetches(talk) == [] and talk.core.snapshot().validating == (tp(0),)
    talk.at(asked_ms + 100)
    assert [one for one in talk.take_all() if "end of leader epoch" in one]


def test_a_seek_needs_no_validation(consuming):
    talk = has_read(consuming())
    talk.call("seek", tp(0), 7)
    assert talk.core.snapshot().validating == ()
    assert "2: fetch orders-0 at 7" in fetches(talk)


def test_who_has_read_nothing_yet_has_nothing_to_validate(consuming):
    talk = reading(consuming())
    refuse(talk, "FENCED_LEADER_EPOCH", LeaderIdAndEpoch(3, 2))
    talk.call("poll", 0)
    assert "3: fetch orders-0 at 0" in fetches(talk)


def test_a_hint_of_an_older_epoch_and_metadata_of_an_older_epoch_are_not_believed(consuming):
    talk = has_read(consuming())
    epoch_ends(talk, 4, 9)
    send = talk.take()
    while not isinstance(send.request.body, FetchRequest):
        send = talk.take()
    talk.answer(send, FetchResponse((PartitionData(
        tp(0), "NOT_LEADER_OR_FOLLOWER", current_leader=LeaderIdAndEpoch(1, 3)),)))
    talk.at(talk.now_ms + 1_000)
    talk.call("poll", 0)
    while talk.sent:
        if isinstance((send := talk.take()).request.body, MetadataRequest):
            talk.answer(send, MetadataResponse(BROKERS, (PartitionMetadata(tp(0), 1, 4),)))
            break
    assert dict(talk.core.snapshot().leader)[tp(0)] == 2
    talk.sent.clear()


# -- nearer replicas --------------------------------------------------------------------------
def near(talk: Talk) -> Talk:
    """A consumer that the leader, broker 1, has sent to broker 3."""
    reading(talk)
    send = talk.take()
    assert send.request.body.rack_id == "b"
    talk.answer(send, FetchResponse((PartitionData(tp(0), "NONE", 5, 0,
                                                   preferred_read_replica=3),)))
    return talk


def preferred(talk: Talk):
    return dict(talk.core.snapshot().preferred_read_replica)[tp(0)]


def test_a_consumer_reads_where_the_leader_sends_it_until_metadata_is_old(consuming):
    talk = near(consuming(client_rack="b", metadata_max_age_ms=60_000))
    assert preferred(talk) == 3
    send = talk.take()
    assert send.to == 3
    answer(talk, send, batch(0, 0))
    assert poll(talk) == [b"0"] and fetches(talk) == ["3: fetch orders-0 at 1"]
    assert talk.core._subscriptions.read_replica(tp(0), talk.now_ms + 60_000) == 1


@pytest.mark.parametrize("error", ["NOT_LEADER_OR_FOLLOWER", "FENCED_LEADER_EPOCH",
                                   "KAFKA_STORAGE_ERROR", "OFFSET_NOT_AVAILABLE"])
def test_an_error_there_leads_back_to_the_leader(consuming, error):
    talk = near(consuming(client_rack="b"))
    refuse(talk, error)
    talk.call("poll", 0)
    assert preferred(talk) is None and "1: fetch orders-0 at 0" in fetches(talk)


def test_out_of_range_there_the_leader_is_asked_before_the_position_is_given_up(consuming):
    talk = near(consuming(client_rack="b", auto_offset_reset="none"))
    refuse(talk, "OFFSET_OUT_OF_RANGE")
    talk.call("poll", 50)
    assert (preferred(talk), talk.core.position(tp(0))) == (None, 0)
    refuse(talk, "OFFSET_OUT_OF_RANGE")
    assert isinstance(talk.core.polls[-1].error, OffsetOutOfRangeException)


def test_a_lost_connection_leads_back_to_the_leader(consuming):
    talk = near(consuming(client_rack="b"))
    talk.take()
    talk.disconnect(3)
    assert preferred(talk) is None
    talk.call("poll", 0)
    assert "1: fetch orders-0 at 0" in fetches(talk)


# -- producers --------------------------------------------------------------------------------
def test_a_producer_that_is_told_who_leads_sends_again_there_without_a_back_off(producing):
    talk = producing()
    talk.call("send", "orders", None, b"v", (), None, None)
    talk.answer_metadata(1)
    send = talk.at(10).take()
    assert send.to == 1
    talk.answer(send, ProduceResponse((PartitionProduceResponse(
        tp(0), "NOT_LEADER_OR_FOLLOWER", current_leader=LeaderIdAndEpoch(2, 1)),)))
    talk.at(talk.now_ms + 5)
    again = [send.to for send in talk.sent if "produce" in str(send.request.body)]
    talk.sent.clear()
    assert again == [2]
